#include "linear_bench.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "ops/linear_cuda.h"
#include "sgmv/error.h"

namespace sgmv::bench {
namespace {

using namespace sgmv::cuda;
using Format = LinearWeights::Format;

constexpr int kCopiesMax = 16;
constexpr int64_t kTokensMax = 256;

struct Shape {
  const char* name;
  int64_t out, in;
};
constexpr Shape kShapes[] = {{"qkv", 12288, 4096}, {"o", 4096, 4096}, {"gate_up", 22016, 4096}, {"down", 4096, 11008}, {"head", 32000, 4096}};

// Random weights in as many copies as a rotation needs, one input and one output.
class LinearCase {
 public:
  LinearCase(Measure& measure, const Shape& shape, Format format) : stream_(measure.stream()), shape_(shape), number_(format == Format::e4m3 ? 1 : 2) {
    const int64_t stride = padded(shape.in), bytes = shape.out * stride * number_;
    copies_ = measure.copies(bytes, kCopiesMax);
    weights_data_.reserve(static_cast<size_t>(copies_ * bytes));
    if (format == Format::e4m3) fill_random_e4m3(stream_, reinterpret_cast<uint8_t*>(weights_data_.data()), copies_ * bytes);
    else fill_random(stream_, Number::bf16, weights_data_.data(), copies_ * bytes / 2);
    scales_.reserve(static_cast<size_t>(shape.out));
    fill_random(stream_, Number::f32, scales_.data(), shape.out);
    x_.reserve(static_cast<size_t>(kTokensMax * stride) * 2);
    fill_random(stream_, Number::bf16, x_.data(), kTokensMax * stride);
    y_.reserve(static_cast<size_t>(kTokensMax * shape.out));
    for (int copy = 0; copy < copies_; ++copy) {
      LinearWeights w;
      w.format = format, w.data = weights_data_.data() + copy * bytes, w.scales = format == Format::e4m3 ? scales_.data() : nullptr;
      w.out = shape.out, w.in = shape.in, w.stride = stride;
      weights_.push_back(w);
    }
  }

  int copies() const { return copies_; }
  LinearWork work(int copy, int64_t tokens) const {
    LinearWork work;
    work.type = Number::bf16, work.x = x_.data(), work.x_stride = padded(shape_.in), work.tokens = tokens;
    work.weights = &weights_[static_cast<size_t>(copy)], work.y = y_.data(), work.y_stride = shape_.out;
    return work;
  }
  double bytes(int64_t tokens) const {
    return static_cast<double>(shape_.out * shape_.in * number_) + static_cast<double>(tokens) * (2.0 * static_cast<double>(shape_.in) + 4.0 * static_cast<double>(shape_.out));
  }
  double operations(int64_t tokens) const { return 2.0 * static_cast<double>(tokens) * static_cast<double>(shape_.out * shape_.in); }

 private:
  cudaStream_t stream_;
  Shape shape_;
  int64_t number_;
  int copies_ = 0;
  DeviceArray<std::byte> weights_data_, x_;
  DeviceArray<float> scales_, y_;
  std::vector<LinearWeights> weights_;
};

// All token counts of one shape; `blas` may be null.
void run_shape(Measure& measure, const Limits& limits, Rows& rows, const Shape& shape, Format format, CublasLt* blas) {
  LinearCase one(measure, shape, format);
  for (int64_t tokens = 1; tokens <= (measure.smoke() ? 4 : kTokensMax); tokens *= 2) {
    const std::string id = std::string("linear.") + (format == Format::e4m3 ? "e4m3." : "bf16.") + shape.name + "." + std::to_string(tokens);
    const double floor = limits.floor_us(one.bytes(tokens));
    const auto report = [&](const std::string& who, const Times& times) {
      rows.add(id + "." + who + ".us", times.median, "us");
      rows.add(id + "." + who + ".time/byte-floor", times.median / floor, "");
      rows.add(id + "." + who + ".rate", one.operations(tokens) / times.median * 1e-6, "Tflop/s");
      return times.median;
    };
    const double ours = report("ours", measure.rotating(one.copies(), [&](int copy) { linear(measure.stream(), one.work(copy, tokens)); }));
    if (blas == nullptr) continue;
    blas->linear(measure.stream(), one.work(0, tokens));  // a shape's first time is not to be recorded
    const double theirs = report("cublaslt", measure.rotating(one.copies(), [&](int copy) { blas->linear(measure.stream(), one.work(copy, tokens)); }));
    rows.add(id + ".ours/cublaslt", ours / theirs, "");
  }
}

std::unique_ptr<CublasLt> load_blas(Rows& rows) {
  try {
    auto blas = std::make_unique<CublasLt>();
    std::printf("cuBLASLt %s\n", blas->version().c_str());
    return blas;
  } catch (const Error& error) {
    rows.leave_out("linear.cublaslt", error.what());
    return nullptr;
  }
}

// What the matrix units can do at most, by the library: 8192 of everything.
void measure_peak(Measure& measure, Rows& rows, CublasLt& blas) {
  const int64_t size = measure.smoke() ? 32 : 8192;
  DeviceArray<std::byte> w(static_cast<size_t>(size * size) * 2), x(static_cast<size_t>(size * size) * 2);
  DeviceArray<float> y(static_cast<size_t>(size * size));
  fill_random(measure.stream(), Number::bf16, w.data(), size * size);
  fill_random(measure.stream(), Number::bf16, x.data(), size * size);
  LinearWeights weights;
  weights.data = w.data(), weights.out = weights.in = weights.stride = size;
  LinearWork work;
  work.x = x.data(), work.x_stride = size, work.tokens = size, work.weights = &weights, work.y = y.data(), work.y_stride = size;
  const double cubed = static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
  rows.add("limits.bf16_product", 2 * cubed / measure.launched(2, [&](int) { blas.linear(measure.stream(), work); }).median * 1e-6, "Tflop/s");
}

}  // namespace

void run_linear(Measure& measure, const Limits& limits, Rows& rows) {
  const std::unique_ptr<CublasLt> blas = load_blas(rows);
  if (blas) measure_peak(measure, rows, *blas);
  for (const Format format : {Format::bf16, Format::e4m3}) {
    if (measure.smoke()) run_shape(measure, limits, rows, {"tiny", 80, 48}, format, blas.get());
    else
      for (const Shape& shape : kShapes) run_shape(measure, limits, rows, shape, format, blas.get());
  }
}

}  // namespace sgmv::bench
