// A decoder with random weights made on the device, and adapters that need no files.
#pragma once

#include <memory>

#include "measure.h"
#include "models/decoder_cuda.h"

namespace sgmv::bench {

ModelConfig llama2_7b();
ModelConfig tiny_llama();  // for smoke runs

// Loads any folder as an adapter of rank 16 on all seven projections: each has memory of its own on the device, all have
// the same numbers.
class RandomModel : public cuda::DecoderCuda {
 public:
  struct Kind {
    bool batch_invariant = false, fp8 = false;
    cuda::LoraFormat adapters = cuda::LoraFormat::of_inputs;
  };
  RandomModel(Measure& measure, const ModelConfig& config, Kind kind);
  std::shared_ptr<const Adapter> load_adapter(const std::filesystem::path& folder) override;

  size_t adapter_bytes() const { return image_->bytes(); }

 private:
  RandomModel(Measure& measure, const ModelConfig& config, std::shared_ptr<cuda::Context> context, Kind kind);

  std::shared_ptr<const cuda::LoraImage> image_;
  std::shared_ptr<cuda::Context> context_;
};

}  // namespace sgmv::bench
