// expect: lovage: an argument does not convert to the task's parameter
#include <lovage/task.hpp>

#include <boost/describe.hpp>
struct order {
    int quantity;
};
BOOST_DESCRIBE_STRUCT(order, (), (quantity))
inline constexpr auto price = lovage::task<"shop.price">([](const order& o) { return o.quantity; });
auto call() {
    return price.s(3);
}
