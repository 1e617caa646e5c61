// XML as S3 and STS answer it: the text of one element at a time. No document type, no entities but
// the five of XML itself, so there is nothing in a document that could grow.
//
// Threads  no state, safe anywhere
#ifndef LINESIGN_APPLIANCE_CLOUD_AWS_XML_H_
#define LINESIGN_APPLIANCE_CLOUD_AWS_XML_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace linesign::aws {

// The text of the first element that is reached by these names, each somewhere inside the one
// before. Absent when there is none.
std::optional<std::string> xml_text(std::string_view document,
                                    std::initializer_list<std::string_view> names);

}  // namespace linesign::aws

#endif  // LINESIGN_APPLIANCE_CLOUD_AWS_XML_H_
