#include "cuda/cuda_backend.h"
#include "sgmv/error.h"

namespace sgmv {

std::vector<DeviceInfo> cuda_devices(std::string& why_none) {
  why_none = "this build has no CUDA backend: nvcc was not found when it was made";
  return {};
}

std::unique_ptr<Model> load_cuda_model(const std::filesystem::path&, ModelConfig, const ModelOptions& options) {
  throw Error("device_unavailable", options.device + ": this build has no CUDA backend");
}

}  // namespace sgmv
