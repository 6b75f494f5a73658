// Host side of tests of CUDA ops: arrays that go to the device and come back.
#pragma once

#include <string_view>
#include <vector>

#include "cuda/memory.h"
#include "cuda/number.h"
#include "formats/dtype.h"
#include "native/check.h"

namespace sgmv::test {

// Device memory that holds a copy of `values`.
template <typename T>
cuda::DeviceArray<T> on_device(const std::vector<T>& values) {
  return cuda::uploaded(values);
}

// What is there once all work on the device is done.
template <typename T>
std::vector<T> from_device(const cuda::DeviceArray<T>& array) {
  cuda::check(cudaDeviceSynchronize(), "a test's kernels");
  return cuda::downloaded(array);
}

// Streams do not wait for copies and fills outside of them, which the device may do later.
inline void settle() { cuda::check(cudaDeviceSynchronize(), "settling"); }

// Of a real device other processes take memory meanwhile, and it gives out whole megabytes.
inline void needs_exact_free_bytes() {
  cudaDeviceProp device;
  cuda::check(cudaGetDeviceProperties(&device, 0), "asking for the device's properties");
  if (std::string_view(device.name) != "emulated device") throw Skip("bytes are counted on the emulated device");
}

// Every byte 0xFF: NaN in all types of numbers, so that what is not written is seen.
template <typename T>
cuda::DeviceArray<T> poisoned(size_t size) {
  cuda::DeviceArray<T> array(size);
  if (size > 0) cuda::check(cudaMemset(array.data(), 0xFF, array.bytes()), "poison");
  settle();
  return array;
}

inline double number_from(const std::byte* at, cuda::Number type) {
  if (type == cuda::Number::f32) return *reinterpret_cast<const float*>(at);
  const uint16_t bits = *reinterpret_cast<const uint16_t*>(at);
  return type == cuda::Number::f16 ? f16_to_float(bits) : bf16_to_float(bits);
}

// Rows [rows, columns] in `type` as kernels want them: padded(columns) apart, zeros behind.
inline std::vector<std::byte> rows_of(cuda::Number type, const std::vector<float>& values, int64_t columns, int64_t stride) {
  const size_t size = cuda::number_bytes(type), rows = values.size() / static_cast<size_t>(columns);
  std::vector<std::byte> bytes(rows * static_cast<size_t>(stride) * size);
  for (size_t row = 0; row < rows; ++row)
    for (size_t i = 0; i < static_cast<size_t>(columns); ++i) {
      std::byte* to = bytes.data() + (row * static_cast<size_t>(stride) + i) * size;
      const float value = values[row * static_cast<size_t>(columns) + i];
      if (type == cuda::Number::f32) *reinterpret_cast<float*>(to) = value;
      else *reinterpret_cast<uint16_t*>(to) = type == cuda::Number::f16 ? float_to_f16(value) : float_to_bf16(value);
    }
  return bytes;
}

// The values as they are after rounding to `type`.
inline std::vector<double> rounded_to(cuda::Number type, const std::vector<float>& values) {
  std::vector<double> result;
  for (const float v : values)
    result.push_back(type == cuda::Number::f32 ? v : type == cuda::Number::f16 ? f16_to_float(float_to_f16(v)) : bf16_to_float(float_to_bf16(v)));
  return result;
}

}  // namespace sgmv::test
