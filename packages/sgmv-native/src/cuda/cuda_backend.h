// All that the rest of the engine knows of CUDA. A build without it has no_cuda.cc instead of the backend.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "sgmv/device.h"
#include "sgmv/model.h"

namespace sgmv {

// "cuda:0" and so on; none: `why_none` says what is missing.
std::vector<DeviceInfo> cuda_devices(std::string& why_none);

// options.device is one of cuda_devices(); `config` was read from `weights`. Throws Error.
std::unique_ptr<Model> load_cuda_model(const std::filesystem::path& weights, ModelConfig config, const ModelOptions& options);

}  // namespace sgmv
