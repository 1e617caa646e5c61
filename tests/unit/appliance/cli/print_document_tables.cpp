// Prints the part of a document that is made from the code, to be pasted between its marks.
#include <iostream>
#include <string_view>

#include "tests/unit/appliance/cli/document_tables.h"

int main(int argc, char** argv) {
  const std::string_view which = argc == 2 ? argv[1] : "";
  if (which == "errors") {
    std::cout << linesign::error_tables();
  } else if (which == "advice") {
    std::cout << linesign::advice_table();
  } else {
    std::cerr << "usage: document_tables errors | advice\n";
    return 64;
  }
  return 0;
}
