// The families of resources that the management API serves, each in the file of its name: each adds
// its routes, and all_routes() (api_routes.cpp) asks all of them. Called once, when the API starts.
#pragma once

#include "broker/admin/api_routes.hpp"

namespace lovage::broker {

void add_overview_routes(api_routes& to);
void add_queue_routes(api_routes& to);
void add_exchange_routes(api_routes& to);
void add_policy_routes(api_routes& to);
void add_user_routes(api_routes& to);
void add_permission_routes(api_routes& to);
void add_topic_permission_routes(api_routes& to);
void add_vhost_routes(api_routes& to);
void add_limit_routes(api_routes& to);
void add_connection_routes(api_routes& to);

[[nodiscard]] api_routes all_routes();

}  // namespace lovage::broker
