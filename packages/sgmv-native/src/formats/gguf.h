// GGUF versions 2 and 3, little-endian: metadata and tensors in one file.
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <algorithm>
#include <string>
#include <variant>
#include <vector>

#include "formats/file_reader.h"
#include "formats/tensor_source.h"

namespace sgmv {

// Metadata: scalars and strings by value; of arrays only the length is kept, and the numbers of short numeric ones.
struct GgufArray {
  uint64_t length = 0;
  std::vector<double> numbers;
};
using GgufValue = std::variant<int64_t, double, bool, std::string, GgufArray>;

class GgufFile : public TensorSource {
 public:
  explicit GgufFile(const std::filesystem::path& path);  // throws FormatError, or Error io_error
  const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }  // GGUF's own names
  std::vector<std::byte> read(const TensorInfo& info) const override;

  const GgufValue* metadata(const std::string& key) const;
  std::optional<int64_t> integer(const std::string& key) const;
  std::optional<double> number(const std::string& key) const;
  std::optional<std::string> text(const std::string& key) const;
  const std::string& file_name() const { return name_; }

 private:
  friend class GgufParser;
  FileReader file_;
  std::string name_;
  std::map<std::string, GgufValue> metadata_;
  std::map<std::string, TensorInfo> tensors_;
};

}  // namespace sgmv
