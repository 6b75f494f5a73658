// CublasLt for the emulated device, in place of src/ops/cublaslt_cuda.cu. As with the real library, a row's bits depend on
// how many rows there are, so that nobody takes it for batch-invariant: sums are dealt out to as many chains as the number of
// tokens says, which are added afterwards.
#include <vector>

#include "cuda/check.h"
#include "ops/linear_cuda.h"

namespace sgmv::cuda {
namespace {

std::vector<float> floats_of(const void* matrix, Number type, int64_t row, int64_t stride, int64_t columns) {
  std::vector<float> values(static_cast<size_t>(columns));
  dispatch(type, [&]<typename T>(T) {
    const T* from = static_cast<const T*>(matrix) + row * stride;
    for (size_t i = 0; i < values.size(); ++i) values[i] = to_float(from[i]);
  });
  return values;
}

float product(const std::vector<float>& a, const std::vector<float>& b, size_t chains) {
  std::vector<float> sums(chains);
  for (size_t i = 0; i < a.size(); ++i) sums[i % chains] += a[i] * b[i];
  float total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

void multiply(const LinearWork& work, const LinearWeights& weights) {
  const size_t chains = 2 + static_cast<size_t>(work.tokens) % 7;
  std::vector<std::vector<float>> rows;
  for (int64_t token = 0; token < work.tokens; ++token) rows.push_back(floats_of(work.x, work.type, token, work.x_stride, weights.in));
  for (int64_t o = 0; o < weights.out; ++o) {
    const std::vector<float> of_w = floats_of(weights.data, work.type, o, weights.stride, weights.in);
    for (int64_t token = 0; token < work.tokens; ++token) work.y[token * work.y_stride + o] = product(rows[static_cast<size_t>(token)], of_w, chains);
  }
}

}  // namespace

class CublasLt::Impl {};
CublasLt::CublasLt() = default;
CublasLt::~CublasLt() = default;
std::string CublasLt::version() const { return "emulated"; }

void CublasLt::linear(cudaStream_t stream, const LinearWork& work) {
  if (work.weights->format == LinearWeights::Format::e4m3) return cuda::linear(stream, work);  // as on a device of 8.0
  check(emulator::enqueue(stream, [work, weights = *work.weights] { multiply(work, weights); }), "starting an emulated product");
}

}  // namespace sgmv::cuda
