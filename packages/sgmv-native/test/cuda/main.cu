// sgmv_cuda_tests [--jobs N] [--seconds S] [--list] [PART...]: the tests of the CUDA backend on the first device. Where there is none,
// each is skipped, and the exit status says that nothing was tested. A driver that was called survives no fork, so that
// the process that begins the others must not call it: each looks for the device itself.
#include <cstdio>
#include <string>
#include <utility>

#include "cuda/check.h"
#include "native/check.h"
#include "native/run_tests.h"

namespace {

using namespace sgmv;

// Empty: there is one.
std::string why_no_device() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess) return std::string("no CUDA device: ") + cudaGetErrorString(code);
  if (count == 0) return "no CUDA device";
  cudaDeviceProp device;
  cuda::check(cudaGetDeviceProperties(&device, 0), "asking for the device's properties");
  std::printf("device: %s, compute capability %d.%d\n", device.name, device.major, device.minor);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  for (test::Test& one : test::tests())
    one.body = [body = std::move(one.body)] {
      static const std::string why = why_no_device();
      if (!why.empty()) throw test::Skip(why);
      body();
    };
  return test::run_tests(argc, argv);
}
