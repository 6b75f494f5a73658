// Block formats against values computed by the reference implementation, gguf-py (gguf.quants.dequantize).
#include "formats/dtype.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "check.h"

namespace sgmv::test {
namespace {

struct Block {
  DType dtype;
  std::string hex;
  std::vector<size_t> indices;
  std::vector<float> values;  // at those indices, exactly
  double sum;                 // of all of them
};

const std::vector<Block> kBlocks = {
    {DType::q8_0,
     "a8a5b8abeeab14cef599cc052535d5cec0ad06783f60ec83760457a17c472a49ed10",
     {0, 1, 15, 16, 31, 7, 15, 16},
     {0x1.9740000000000p+0f, 0x1.e0c8000000000p+0f, 0x1.d578000000000p+0f, -0x1.0f80000000000p-3f, -0x1.6a00000000000p-2f, 0x1.234c000000000p+1f, 0x1.d578000000000p+0f, -0x1.0f80000000000p-3f}, 0.8837890625},
    {DType::q4_0,
     "0a27ce0d8f02264785762462c423399232b3",
     {0, 1, 15, 16, 31, 7, 15, 16},
     {0x1.51e0000000000p-3f, 0x1.1990000000000p-3f, -0x1.1990000000000p-3f, 0x1.c280000000000p-4f, 0x1.51e0000000000p-4f, -0x1.c280000000000p-5f, -0x1.1990000000000p-3f, 0x1.c280000000000p-4f}, -1.92474365234375},
    {DType::q4_1,
     "ce258d25b527970bb48a4200a5627b0c90b81826",
     {0, 1, 15, 16, 31, 7, 15, 16},
     {0x1.1498000000000p-3f, 0x1.7178000000000p-3f, 0x1.4308000000000p-3f, 0x1.159c000000000p-2f, 0x1.1290000000000p-4f, 0x1.6340000000000p-6f, 0x1.4308000000000p-3f, 0x1.159c000000000p-2f}, 4.979339599609375},
    {DType::q5_0,
     "bc28e5f1a94106a0956a26afbccdafe562f90a945f56",
     {0, 1, 15, 16, 31, 7, 11, 24},
     {0x1.c680000000000p-3f, -0x1.2f00000000000p-1f, 0x1.c680000000000p-3f, 0.0f, -0x1.a0a0000000000p-2f, 0x1.ec60000000000p-2f, -0x1.0920000000000p-2f, 0x1.7ac0000000000p-2f}, 0.0369873046875},
    {DType::q5_1,
     "bc28b8b6ab2da7394551370e99b2d74c3427fa48d732a1df",
     {0, 1, 15, 16, 31, 7, 11, 24},
     {0x1.6d60000000000p-2f, 0x1.abc0000000000p-3f, 0x1.1440000000000p-3f, 0x1.4780000000000p-2f, 0x1.f300000000000p-5f, 0x1.3b40000000000p-1f, 0x1.df00000000000p-2f, 0x1.21a0000000000p-2f}, 5.4630126953125},
    {DType::q4_k,
     "8125caa75536e4307fa901a76df710c04edc083cbdb5404808b9586fbf8a6343304464f943287f2d2133cee5d95535cc7886"
     "1fd80e7fa01dd0a174645397c6a0adc1367e7e3976aa6b833bad348bb5a93fc4900f8a8987f50f8c3b8efc8c4ce733da7d45"
     "97758c5cbdd130e147d9d82f7c5b70102d58b85f48d7dead24924b1fbe1ebedebe4b4f57ff8b313a8509618b",
     {0, 1, 127, 128, 255, 33, 97, 200},
     {0x1.079b800000000p+3f, 0x1.d56c800000000p+2f, 0x1.7034c00000000p+3f, 0x1.40b1e00000000p+3f, 0x1.56b8000000000p+0f, 0x1.0571800000000p+4f, 0x1.2e28c00000000p+3f, 0x1.0929400000000p+3f}, 1570.2857971191406},
    {DType::q5_k,
     "87243ca5346b49e2c23348df4abd744e5c8bbd04b85d34c7f36d1eb5cdc25ec5599f4e006d2fb109fa75dc800fadcc557469"
     "c96f94eb69eebb60083412b52987ef702f53e2eb824bc02064cee95b3927060103514ace681e82642726b083f0478aaed1b2"
     "bc0e5d9443c9d372a980672b694c87ccd6d3becc79ce4a3c08d2480f3868dd51f295602595e7c4cc0d400185b137cf812336"
     "624a8c72a281d467abf7e837773cbee99fc450a6b8030b815550",
     {0, 1, 127, 128, 255, 33, 97, 200},
     {0x1.dc14000000000p+1f, 0x1.7080400000000p+4f, 0x1.d620000000000p+0f, 0x1.5f01800000000p+2f, 0x1.a2ea800000000p+2f, 0x1.1c5d200000000p+4f, 0x1.4824800000000p+3f, 0x1.4bf6800000000p+3f}, 2393.9993286132812},
    {DType::q6_k,
     "f3c2e7ee6c1a0bdfd5adf8158373d1d7731f4dd81c1e0a749e6e2d5ea649fafaf93d76f3973b5eade3bb40669983d035beaa"
     "baeffc58cf44af7c608e0f94b5ac4582793dec4eae5081cfcdbd8d848932eacda4aca344d0f1a21228af4cb86ca57931bd76"
     "1cefc7f748b0cd380b91185b32a714a4869a9ea79b376a1b18d58a299f7a35b1d71638d795b5a8a29ff5f9eef71f636085ae"
     "6854a7066ccc12d1840a52a7ab3153bd6131891df563103e2a28296545ccddb8b7d879d56661526f8207401198b63352951b"
     "81f7cd9ce4f1cb2b9e24",
     {0, 1, 127, 128, 255, 33, 97, 200},
     {0x1.5ee8000000000p+4f, 0x1.2780000000000p+1f, -0x1.56d3800000000p+3f, -0x1.6e7d400000000p+3f, -0x1.7442c00000000p+4f, -0x1.8627000000000p+4f, 0x1.9168200000000p+4f, 0x1.83d8000000000p+3f}, -17.99981689453125},
    {DType::mxfp4,
     "794ae5f1a94106a0956a26afbccdafe562",
     {0, 1, 15, 16, 31, 7, 11, 24},
     {-0x1.0000000000000p-6f, 0x1.8000000000000p-5f, 0x1.0000000000000p-6f, 0x1.0000000000000p-5f, 0x1.0000000000000p-4f, 0x1.8000000000000p-5f, -0x1.0000000000000p-5f, 0x1.0000000000000p-4f}, -0.1484375},
};

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < hex.size(); i += 2) bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST("dtype: blocks have the values of the reference implementation") {
  for (const Block& block : kBlocks) {
    const std::vector<std::byte> bytes = from_hex(block.hex);
    CHECK_EQUAL(static_cast<int64_t>(bytes.size()), dtype_block_bytes(block.dtype));
    std::vector<float> values(static_cast<size_t>(dtype_block(block.dtype)), NAN);
    dequantize(block.dtype, bytes.data(), dtype_block(block.dtype), values.data());
    for (size_t i = 0; i < block.indices.size(); ++i)
      CHECK(values[block.indices[i]] == block.values[i], dtype_name(block.dtype), "[", block.indices[i], "] is ", values[block.indices[i]], ", expected ", block.values[i]);
    double sum = 0;
    for (const float value : values) sum += value;
    CHECK(std::abs(sum - block.sum) < 1e-9, dtype_name(block.dtype), " sum ", sum, ", expected ", block.sum);
  }
}

TEST("dtype: what is not finite is found in every type, and nothing else") {
  std::mt19937 random(1);
  int found_some = 0;
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q4_k, DType::q5_k, DType::q6_k, DType::mxfp4})
    for (int round = 0; round < 2000; ++round) {
      const int64_t block = dtype_block(dtype);
      std::vector<std::byte> bytes(static_cast<size_t>(3 * dtype_block_bytes(dtype)));
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      std::vector<float> values(static_cast<size_t>(3 * block));
      dequantize(dtype, bytes.data(), 3 * block, values.data());
      const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
      const int64_t expected = bad == values.end() ? -1 : (bad - values.begin()) / block * block;
      CHECK_EQUAL(first_not_finite(dtype, bytes.data(), 3 * block), expected);
      found_some += expected >= 0;
    }
  CHECK(found_some > 100);
}

TEST("dtype: blocks of MXFP4 are the same in Q8_0 where half precision holds their scale") {
  std::mt19937 random(2);
  for (int exponent = 0; exponent < 255; ++exponent)
    for (const bool zero : {false, true}) {
      std::array<std::byte, 17> block;
      for (std::byte& byte : block) byte = zero ? std::byte{0x80} : static_cast<std::byte>(random());
      block[0] = static_cast<std::byte>(exponent);
      std::array<std::byte, 34> q8;
      const bool fits = mxfp4_to_q8_0(block.data(), q8.data());
      CHECK_EQUAL(fits, zero || (exponent >= 104 && exponent <= 143));
      if (!fits) continue;
      std::array<float, 32> expected, found;
      dequantize(DType::mxfp4, block.data(), 32, expected.data());
      dequantize(DType::q8_0, q8.data(), 32, found.data());
      CHECK(found == expected, "exponent ", exponent);
    }
}

}  // namespace
}  // namespace sgmv::test
