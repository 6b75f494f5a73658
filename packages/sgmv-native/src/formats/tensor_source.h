// Named tensors of a file or of several, whatever the format. Names are those of Hugging Face checkpoints.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "formats/dtype.h"

namespace sgmv {

struct TensorInfo {
  DType dtype = DType::other;
  std::string dtype_text;       // as the file spells it
  std::vector<int64_t> shape;   // outermost first
  uint64_t offset = 0;          // absolute, in its file
  uint64_t bytes = 0;
  int32_t file = 0;             // index, for sources of several files

  int64_t elements() const {
    int64_t count = 1;
    for (const int64_t dimension : shape) count *= dimension;
    return count;
  }
};

std::string shape_text(const std::vector<int64_t>& shape);  // "[8, 64]"

class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual const std::map<std::string, TensorInfo>& tensors() const = 0;
  virtual std::vector<std::byte> read(const TensorInfo& info) const = 0;

  virtual const TensorInfo* find(const std::string& name) const {
    const auto it = tensors().find(name);
    return it == tensors().end() ? nullptr : &it->second;
  }
};

}  // namespace sgmv
