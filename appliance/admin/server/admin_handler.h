// AdminHandler: finds out what an HTTP request asks for, and answers it.
//
// Threads  one handler per request, on an HTTP thread
// Source   the paths are in admin_server.h, the shapes in admin_json.h
#ifndef LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_HANDLER_H_
#define LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_HANDLER_H_

#include <Poco/Net/HTTPRequestHandlerFactory.h>

#include "appliance/admin/server/loop_bridge.h"

namespace linesign {

// The server owns the factory; `bridge` must outlive every handler.
Poco::Net::HTTPRequestHandlerFactory::Ptr make_admin_handlers(LoopBridge& bridge);

}  // namespace linesign

#endif  // LINESIGN_APPLIANCE_ADMIN_SERVER_ADMIN_HANDLER_H_
