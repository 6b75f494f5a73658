// Which backend a model is loaded into, and which there are.
#include "cuda/cuda_backend.h"
#include "cpu/select_kernels.h"
#include "formats/file_reader.h"
#include "models/decoder_cpu.h"
#include "models/decoder_weights.h"
#include "sgmv/device.h"
#include "sgmv/error.h"

namespace sgmv {

std::vector<DeviceInfo> available_devices(std::string* why_no_cuda) {
  std::string reason;
  std::vector<DeviceInfo> devices = {{"cpu", std::string(select_kernels("").isa) + ", " + std::to_string(available_cores()) + " cores", 0}};
  const std::vector<DeviceInfo> cuda = cuda_devices(reason);
  devices.insert(devices.end(), cuda.begin(), cuda.end());
  if (why_no_cuda != nullptr) *why_no_cuda = cuda.empty() ? reason : "";
  return devices;
}

namespace {

ModelConfig read_config(const std::filesystem::path& weights) {
  ModelConfig config = read_model_config(weights);
  if (config.tied_embeddings) config.tied_embeddings = !has_own_head(weights, config);
  return config;
}

}  // namespace

std::unique_ptr<Model> Model::load(const std::filesystem::path& weights, const ModelOptions& options) {
  if (!file_exists(weights)) throw Error("model_not_found", weights.string() + ": no such file or folder");
  if (options.device == "cpu") return load_cpu_model(weights, read_config(weights), options);
  std::string why_no_cuda, names;
  for (const DeviceInfo& device : available_devices(&why_no_cuda)) {
    if (device.name == options.device) return load_cuda_model(weights, read_config(weights), options);
    names += (names.empty() ? "" : ", ") + device.name;
  }
  throw Error("device_unavailable", "device: found " + options.device + ", expected one of " + names + (why_no_cuda.empty() ? "" : " (" + why_no_cuda + ")"));
}

}  // namespace sgmv
