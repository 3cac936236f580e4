// `order_processing demo`: a broker, workers, the order service and the report, in one go.
#pragma once

namespace shop {

/// Returns the exit status: 0 when every order and task came to its end.
int run_demo(int argc, char** argv);

}  // namespace shop
