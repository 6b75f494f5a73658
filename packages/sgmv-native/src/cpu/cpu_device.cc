#include "cpu/cpu_device.h"

#include "cpu/select_kernels.h"
#include "sgmv/error.h"

namespace sgmv {

std::string CpuDevice::name() const {
  return std::string("cpu ") + kernels_.isa + " " + std::to_string(threads()) + (threads() == 1 ? " thread" : " threads");
}

CpuDevice& as_cpu(Device& device) {
  auto* cpu = dynamic_cast<CpuDevice*>(&device);
  if (cpu == nullptr) throw Error("bad_argument", "device: found " + device.name() + ", expected a CPU device");
  return *cpu;
}

std::shared_ptr<Device> make_cpu_device(const DeviceOptions& options) {
  constexpr int32_t threads_max = 1024;
  if (options.threads < 0 || options.threads > threads_max)
    throw Error("bad_argument", "threads: found " + std::to_string(options.threads) + ", expected 0 to 1024");
  const Kernels& kernels = select_kernels(options.isa);
  return std::make_shared<CpuDevice>(kernels, options.threads > 0 ? options.threads : available_cores());
}

}  // namespace sgmv
