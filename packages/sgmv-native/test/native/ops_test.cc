// Base GEMM over every stored form, the small kernels, and the thread pool.
#include <atomic>
#include <cmath>
#include <cstring>
#include <random>

#include "check.h"
#include "cpu/cpu_device.h"
#include "cpu/select_kernels.h"
#include "layers/fused_linear.h"
#include "ops/gemm_cpu.h"

namespace sgmv::test {
namespace {

// Random stored weights of a type, with moderate scales.
std::vector<std::byte> stored_weights(DType dtype, int64_t count, std::mt19937& generator) {
  std::vector<std::byte> data(static_cast<size_t>(count / dtype_block(dtype) * dtype_block_bytes(dtype)));
  for (auto& byte : data) byte = static_cast<std::byte>(generator());
  const auto halves = [&](size_t at) { data[at + 1] = (data[at + 1] & std::byte{0x83}) | std::byte{0x30}; };
  const auto stride = static_cast<size_t>(dtype_block_bytes(dtype));
  if (dtype == DType::f32) {
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < count; ++i) {
      const float value = normal(generator);
      std::memcpy(data.data() + i * 4, &value, 4);
    }
    return data;
  }
  for (size_t at = 0; at < data.size(); at += stride) {
    if (dtype == DType::bf16) data[at + 1] = (data[at + 1] & std::byte{0x80}) | std::byte{0x3F};
    else if (dtype == DType::q6_k) halves(at + 208);
    else halves(at);
    if (dtype == DType::q4_1 || dtype == DType::q4_k || dtype == DType::q5_k) halves(at + 2);
  }
  return data;
}

void check_gemm(CpuDevice& device, DType dtype, int64_t rows, int64_t out, int64_t in, bool with_bias) {
  std::mt19937 generator(static_cast<uint32_t>(rows * 31 + out * 7 + in));
  const std::vector<std::byte> stored = stored_weights(dtype, out * in, generator);
  std::vector<float> exact(static_cast<size_t>(out * in));
  dequantize(dtype, stored.data(), out * in, exact.data());
  PackedMatrix weights(PackedMatrix::storage_for(std::span(&dtype, 1), in), out, in);
  weights.set_rows(0, out, dtype, stored.data());
  std::vector<float> row(static_cast<size_t>(in));
  for (int64_t n = 0; n < out; ++n) {
    weights.copy_row(n, row.data());
    for (int64_t k = 0; k < in; ++k)
      CHECK(row[static_cast<size_t>(k)] == exact[static_cast<size_t>(n * in + k)], dtype_name(dtype), " is not kept exactly: ", row[static_cast<size_t>(k)], " of ", exact[static_cast<size_t>(n * in + k)]);
  }
  std::normal_distribution<float> normal;
  Activations x, y;
  x.reserve(rows, in);
  y.reserve(rows, out);
  std::vector<float> bias(static_cast<size_t>(out));
  for (float& value : bias) value = normal(generator);
  for (int64_t m = 0; m < rows; ++m) std::generate_n(x.row(m), in, [&] { return normal(generator); });
  std::fill_n(y.data.data(), y.data.size(), 1e30f);
  gemm(device, {x.data.data(), x.stride, rows, &weights, with_bias ? bias.data() : nullptr, y.data.data(), y.stride});
  for (int64_t m = 0; m < rows; ++m)
    for (int64_t n = 0; n < y.stride; ++n) {
      if (n >= out) {
        CHECK(y.row(m)[n] == 1e30f, "wrote past the last column");
        continue;
      }
      double sum = with_bias ? bias[static_cast<size_t>(n)] : 0, size = 1e-3;
      for (int64_t k = 0; k < in; ++k) {
        const double product = double(x.row(m)[k]) * exact[static_cast<size_t>(n * in + k)];
        sum += product;
        size += std::abs(product);
      }
      CHECK(std::abs(y.row(m)[n] - sum) <= 3e-6 * size, device.name(), " ", dtype_name(dtype), " ", rows, "x", out, "x", in, ": ", y.row(m)[n], " expected ", sum);
    }
}

TEST("gemm: every stored form against float64, with tails") {
  for (const std::string& isa : available_isas()) {
    const auto device = make_cpu_device({2, isa});
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q4_k, DType::q5_k, DType::q6_k}) {
      const int64_t block = dtype_block(dtype);
      for (const int64_t rows : {1, 2, 5, 13, 33})
        check_gemm(as_cpu(*device), dtype, rows, rows % 2 == 0 ? 40 : 33, block == 256 ? 256 : block == 32 ? 96 : 61, rows == 5);
    }
    check_gemm(as_cpu(*device), DType::f32, 101, 64, 800, true);   // more than one row chunk and input chunk
    check_gemm(as_cpu(*device), DType::q4_1, 3, 70, 1600, false);
    check_gemm(as_cpu(*device), DType::f32, 4, 1, 1, true);
  }
}

TEST("gemm: a row has the same bits in any batch") {
  for (const std::string& isa : available_isas()) {
    const auto one = make_cpu_device({1, isa}), many = make_cpu_device({3, isa});
    std::mt19937 generator(3);
    const int64_t in = 1600, out = 77, rows = 131;
    const DType dtype = DType::q4_1;
    PackedMatrix weights(PackedMatrix::storage_for(std::span(&dtype, 1), in), out, in);
    weights.set_rows(0, out, dtype, stored_weights(dtype, out * in, generator).data());
    Activations x, y, y1;
    x.reserve(rows, in);
    y.reserve(rows, out);
    y1.reserve(rows, out);
    std::normal_distribution<float> normal;
    for (int64_t m = 0; m < rows; ++m) std::generate_n(x.row(m), in, [&] { return normal(generator); });
    gemm(as_cpu(*many), {x.data.data(), x.stride, rows, &weights, nullptr, y.data.data(), y.stride});
    for (const int64_t count : {1, 2, 7, 11, 12, 13, 32})
      for (int64_t first = 0; first + count <= rows; first += 29) {
        gemm(as_cpu(*one), {x.row(first), x.stride, count, &weights, nullptr, y1.data.data(), y1.stride});
        for (int64_t m = 0; m < count; ++m)
          CHECK(std::memcmp(y1.row(m), y.row(first + m), sizeof(float) * static_cast<size_t>(out)) == 0, isa, ", ", count, " rows");
      }
  }
}

TEST("kernels: norm, activation, rotation, softmax against float64") {
  std::mt19937 generator(11);
  std::normal_distribution<float> normal;
  for (const std::string& isa : available_isas()) {
    const Kernels& k = select_kernels(isa);
    for (const int64_t n : {1, 2, 7, 16, 17, 64, 100}) {
      const auto size = static_cast<size_t>(n);
      std::vector<float> x(size), w(size), out(size + 1, 7.0f);
      std::generate(x.begin(), x.end(), [&] { return normal(generator) * 3; });
      std::generate(w.begin(), w.end(), [&] { return normal(generator); });
      double squares = 0;
      for (const float value : x) squares += double(value) * value;
      k.rms_norm(x.data(), w.data(), 1e-5f, n, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double expected = w[i] * x[i] / std::sqrt(squares / double(n) + 1e-5);
        CHECK(std::abs(out[i] - expected) <= 1e-6 * (std::abs(expected) + 1e-3), isa, " rms_norm");
      }
      k.swiglu(x.data(), w.data(), n, out.data());
      for (size_t i = 0; i < size; ++i) {
        const double expected = x[i] / (1 + std::exp(-double(x[i]))) * w[i];
        CHECK(std::abs(out[i] - expected) <= 2e-6 * (std::abs(expected) + 1e-3), isa, " swiglu ", out[i], " expected ", expected);
      }
      CHECK(out[size] == 7.0f, isa, ": wrote past the end");
      std::vector<float> scores = x;
      scores.push_back(7.0f);
      const float sum = k.softmax_numerators(scores.data(), n);
      const float most = *std::max_element(x.begin(), x.end());
      double expected_sum = 0;
      for (size_t i = 0; i < size; ++i) {
        const double expected = std::exp(double(x[i]) - most);
        expected_sum += expected;
        CHECK(std::abs(scores[i] - expected) <= 1e-6 * expected + 1e-12, isa, " softmax");
      }
      CHECK(std::abs(sum - expected_sum) <= 1e-5 * expected_sum && scores[size] == 7.0f, isa, " softmax sum");
      if (n % 2 != 0) continue;
      std::vector<float> rotated = x, c(size), s(size);
      for (size_t i = 0; i < size / 2; ++i) {
        c[i] = std::cos(static_cast<float>(i));
        s[i] = std::sin(static_cast<float>(i));
      }
      k.rope(rotated.data(), c.data(), s.data(), n / 2);
      for (size_t i = 0; i < size / 2; ++i) {
        const size_t j = i + size / 2;
        CHECK(std::abs(rotated[i] - (double(x[i]) * c[i] - double(x[j]) * s[i])) < 1e-5, isa, " rope");
        CHECK(std::abs(rotated[j] - (double(x[j]) * c[i] + double(x[i]) * s[i])) < 1e-5, isa, " rope");
      }
    }
  }
}

TEST("kernels: NaN comes through, so that the engine can see it") {
  for (const std::string& isa : available_isas()) {
    const Kernels& k = select_kernels(isa);
    std::vector<float> scores(20, 1.0f);
    scores[3] = NAN;
    CHECK(std::isnan(k.softmax_numerators(scores.data(), 20)), isa);
    std::vector<float> gate(20, NAN), up(20, 1.0f), out(20);
    k.swiglu(gate.data(), up.data(), 20, out.data());
    CHECK(std::isnan(out[0]) && std::isnan(out[19]), isa);
  }
}

TEST("thread pool: every item runs once, in any number of loops") {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int64_t count = 0; count < 400; count += kSanitized ? 7 : 1) {
      std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
      std::atomic<bool> bad_worker{false};
      pool.parallel_for(count, [&](int64_t item, int worker) {
        seen[static_cast<size_t>(item)].fetch_add(1);
        if (worker < 0 || worker >= threads) bad_worker = true;
      });
      for (const auto& times : seen) CHECK(times.load() == 1, threads, " threads, ", count, " items");
      CHECK(!bad_worker);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // the workers sleep now and must wake again
    std::atomic<int64_t> sum{0};
    pool.parallel_for(1000, [&](int64_t item, int) { sum += item; });
    CHECK_EQUAL(sum.load(), 499500);
  }
}

}  // namespace
}  // namespace sgmv::test
