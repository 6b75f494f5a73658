// Safetensors of a quantized model, in which every quantized matrix appears as the matrix "<module>.weight" that it stands for: in
// blocks of a form that the engine keeps, where that holds the same numbers, else in float32. It is made when it is read, so that no
// more than one is in memory at a time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "formats/quantized_matrix.h"

namespace sgmv {

class QuantizedSource : public TensorSource {
 public:
  QuantizedSource(std::unique_ptr<TensorSource> stored, const Quantization& how) : stored_(std::move(stored)), how_(how) {}

  const std::map<std::string, TensorInfo>& tensors() const override { return stored_->tensors(); }  // as stored
  // Throws Error for a quantized matrix whose tensors do not belong together: those of modules that nobody asks for are not looked at.
  const TensorInfo* find(const std::string& name) const override;
  std::vector<std::byte> read(const TensorInfo& info) const override;

 private:
  struct Opened {
    TensorInfo info;
    std::unique_ptr<QuantizedMatrix> matrix;  // null: the tensor is as stored
  };
  std::unique_ptr<QuantizedMatrix> open(const std::string& module) const;

  std::unique_ptr<TensorSource> stored_;
  const Quantization how_;
  // By name. What find() has opened stays where it is: callers keep its TensorInfo. Not for several threads at once.
  mutable std::map<std::string, Opened> opened_;
  mutable std::vector<const QuantizedMatrix*> matrices_;  // TensorInfo::offset is an index here
};

}  // namespace sgmv
