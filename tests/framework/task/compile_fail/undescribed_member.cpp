// expect: lovage: a member of this struct has no JSON form
#include <lovage/json.hpp>

#include <boost/describe.hpp>
struct inner {
    int x;
};
struct outer {
    inner part;
};
BOOST_DESCRIBE_STRUCT(outer, (), (part))
auto text(const outer& value) {
    return lovage::to_json_text(value);
}
