// A file that is not what its format says. Carries what a report needs: where, what was found, what was expected.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace sgmv {

struct FormatError : std::runtime_error {
  FormatError(std::string code_, std::string file_, std::string path_, std::string found_, std::string expected_)
      : std::runtime_error(file_ + (path_.empty() ? "" : ": " + path_) + ": found " + found_ + ", expected " + expected_),
        code(std::move(code_)), file(std::move(file_)), path(std::move(path_)), found(std::move(found_)),
        expected(std::move(expected_)) {}

  std::string code;      // stable: truncated_file, bad_header, duplicate_tensor …
  std::string file;
  std::string path;      // tensor or field; may be empty
  std::string found;
  std::string expected;
};

}  // namespace sgmv
