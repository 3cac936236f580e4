// Everything a program needs to define, send and await tasks.
#pragma once

#include <lovage/app.hpp>
#include <lovage/broker_error.hpp>
#include <lovage/connection.hpp>
#include <lovage/control.hpp>
#include <lovage/error.hpp>
#include <lovage/handle.hpp>
#include <lovage/how.hpp>
#include <lovage/json.hpp>
#include <lovage/logging.hpp>
#include <lovage/message.hpp>
#include <lovage/registry.hpp>
#include <lovage/result.hpp>
#include <lovage/task.hpp>
