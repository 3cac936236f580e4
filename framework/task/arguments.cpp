// Binding positional and keyword arguments to parameters, with Python's rules and the spirit of its
// error texts, because the callers that get them wrong are mostly Python. Pure.
#include <lovage/registry.hpp>

#include <algorithm>

namespace lovage::detail {

namespace {

std::string quoted(std::string_view name) {
    return "\"" + std::string(name) + "\"";
}

bool bind_keyword(
    std::string_view key,
    const boost::json::value& value,
    std::span<const std::string_view> names,
    std::span<const boost::json::value*> out,
    std::string& reason) {
    const auto known = names.first(out.size());
    const auto found = std::find(known.begin(), known.end(), key);
    if (found == known.end()) {
        reason = "unknown keyword argument " + quoted(key);
        return false;
    }
    auto& slot = out[static_cast<std::size_t>(found - known.begin())];
    if (slot != nullptr) {
        reason = "argument " + quoted(key) + " given twice";
        return false;
    }
    slot = &value;
    return true;
}

}  // namespace

bool bind_arguments(
    const boost::json::array& args,
    const boost::json::object& kwargs,
    std::span<const std::string_view> names,
    std::span<const bool> may_miss,
    std::span<const boost::json::value*> out,
    std::string& reason) {
    const bool named = !names.empty() && !names.front().empty() && names.size() >= out.size();
    if (args.size() > out.size()) {
        reason = "expected " + std::to_string(out.size()) + " arguments, got " +
                 std::to_string(args.size());
        return false;
    }
    for (std::size_t i = 0; i < args.size(); ++i) {
        out[i] = &args[i];
    }
    if (!kwargs.empty() && !named && !out.empty()) {
        reason = "the task declares no parameter names, so it takes no keyword arguments";
        return false;
    }
    for (const auto& entry : kwargs) {
        const std::string_view key(entry.key().data(), entry.key().size());
        if (!bind_keyword(key, entry.value(), names, out, reason)) {
            return false;
        }
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        if (out[i] == nullptr && !may_miss[i]) {
            reason = "missing argument " + std::to_string(i) +
                     (named ? " (" + std::string(names[i]) + ")" : "") + ", got " +
                     std::to_string(args.size() + kwargs.size()) + " of " +
                     std::to_string(out.size());
            return false;
        }
    }
    return true;
}

}  // namespace lovage::detail
