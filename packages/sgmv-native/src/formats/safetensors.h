// safetensors: eight bytes of header length, a JSON header, then the data without gaps.
// https://github.com/huggingface/safetensors#format
#pragma once

#include <filesystem>
#include <memory>

#include "formats/file_reader.h"
#include "formats/tensor_source.h"

namespace sgmv {

// The limit of the reference implementation.
inline constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;

class SafetensorsFile : public TensorSource {
 public:
  // Reads and checks the header; the data is read on demand. Throws FormatError, or Error io_error.
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
  std::vector<std::byte> read(const TensorInfo& info) const override;

 private:
  void parse_header(const std::string& text, uint64_t data_begin);
  void check_contiguous(uint64_t data_begin) const;

  FileReader file_;
  std::string name_;
  std::map<std::string, TensorInfo> tensors_;
};

// A model folder: model.safetensors, or the shards that model.safetensors.index.json lists.
// Throws FormatError or Error.
std::unique_ptr<TensorSource> open_safetensors_folder(const std::filesystem::path& folder);

}  // namespace sgmv
