#include "broker/core/settings_store.hpp"

#include "tests/broker/core/fake_journal.hpp"

#include <gtest/gtest.h>

namespace lovage::broker::test {
namespace {

amqp::table value(const char* text) {
    amqp::table made;
    made.set("v", text);
    return made;
}

std::string shown(const settings_store& from, octets kind) {
    std::string all;
    from.for_each(kind, [&](const std::vector<std::string>& names, const amqp::table& each) {
        for (const auto& name : names) {
            all += name + "/";
        }
        all += "=" + std::string(*each.find("v")->text()) + ";";
    });
    return all;
}

TEST(SettingsStore, KeepsKindsAndNamesApart) {
    fake_journal log;
    settings_store kept{log};
    kept.put(settings_store::key("user", {"a"}), value("1"));
    kept.put(settings_store::key("user", {"a", "b"}), value("2"));
    kept.put(settings_store::key("users", {"c"}), value("3"));
    kept.put(settings_store::key("user", {octets{"a\0b", 3}}), value("4"));

    EXPECT_EQ(shown(kept, "user"), "a/=1;a/b/=2;" + std::string("a\0b", 3) + "/=4;");
    EXPECT_EQ(shown(kept, "users"), "c/=3;");
    EXPECT_EQ(shown(kept, "use"), "");
}

TEST(SettingsStore, ReplacesAndErasesInTheJournalToo) {
    fake_journal log;
    settings_store kept{log};
    const std::string key = settings_store::key("user", {"a"});
    kept.put(key, value("1"));
    kept.put(key, value("2"));
    EXPECT_EQ(log.live(), 1U);
    EXPECT_EQ(log.complaints(), std::vector<std::string>{});
    EXPECT_EQ(shown(kept, "user"), "a/=2;");

    EXPECT_TRUE(kept.erase(key));
    EXPECT_FALSE(kept.erase(key));
    EXPECT_EQ(log.live(), 0U);
    EXPECT_EQ(log.count("setting_erased"), 1U);
    EXPECT_EQ(shown(kept, "user"), "");
}

TEST(SettingsStore, ComesBackFromTheJournalAndMovesOutOfAnOldFile) {
    fake_journal log;
    settings_store kept{log};
    kept.put(settings_store::key("user", {"a"}), value("1"));

    settings_store again{log};
    for (const auto& [key, setting] : log.settings) {
        EXPECT_TRUE(again.restore(key, setting.first, setting.second));
    }
    EXPECT_EQ(shown(again, "user"), "a/=1;");
    log.file = 2;
    again.rewrite(1);
    EXPECT_EQ(log.live_in(1), 0U);
    EXPECT_EQ(log.live_in(2), 1U);
    again.rewrite(1);
    EXPECT_EQ(log.count("setting_put"), 2U);
}

TEST(SettingsStore, RefusesAValueThatIsNoTable) {
    fake_journal log;
    settings_store kept{log};
    EXPECT_FALSE(kept.restore(settings_store::key("user", {"a"}), "rubbish", {}));
}

}  // namespace
}  // namespace lovage::broker::test
