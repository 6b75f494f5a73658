// Block formats against values computed by the reference implementation, gguf-py (gguf.quants.dequantize).
#include "formats/dtype.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "check.h"
#include "hex.h"

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
    {DType::q2_k,
     "8b4ae5f1a94106a0956a26afbccdafe562f90a945f5693c642276ad5ab2da7394551370e99b2d74c3427fa48d732a1df70ac"
     "a1e926115901dd06f27f8f063cd25e19a621f9bd0ccc21397c1ec795ca7748a803a9",
     {0, 1, 127, 128, 255, 33, 97, 200},
     {-0x1.b0c0000000000p-2f, -0x1.c000000000000p-5f, 0x1.90f0000000000p-2f, 0x1.68d8000000000p-2f, 0x1.8610000000000p-2f, 0x1.b5a0000000000p-3f, -0x1.3440000000000p-1f, 0x1.e080000000000p-6f}, -14.60107421875},
    {DType::q3_k,
     "7a88934d85527357a2e64647f03e2fb81f223f4192c58efd5185f0711ef7677a1f132a818d882195a100b28d6b236b82481b"
     "d9fe630dc3ce3be4ebcab72f45b35223479f6e794d57037e2cfde9e15a7789781e3721a557d8e5a703296dcb81db3f65cf9c"
     "1bdc5d1d8fc83f0b0ba8",
     {0, 1, 127, 128, 255, 33, 97, 200},
     {0x1.f554000000000p-1f, 0x1.f554000000000p-1f, -0x1.a478000000000p-1f, 0x1.d4fc000000000p+0f, -0x1.f554000000000p-1f, 0x1.f554000000000p+1f, 0.0f, 0x1.02c0000000000p-3f}, 37.239532470703125},
    {DType::iq4_nl,
     "be2b2209851d3d24f4c0cf83fe4363f82f47",
     {0, 1, 15, 16, 31, 7, 11, 24},
     {-0x1.414d000000000p+2f, 0x1.9298000000000p-1f, -0x1.35b0000000000p-1f, -0x1.414d000000000p+2f, -0x1.7b5e000000000p+1f, -0x1.eba1000000000p+2f, -0x1.f73e000000000p+1f, 0x1.9a56000000000p+1f}, -18.08526611328125},
    {DType::iq4_xs,
     "8929f6ced681cbea7179ced2c8f814a13472ff70ce369d8385452a44f318337f08cd1e614f235d3f83bc45fee9ee0403a79b"
     "e118544441317c9311f85e0429b19f7ec0e156f65a3322e791b880ee995e3f0d307d2fbaf400693a179e0d027ed4e58be7a9"
     "ebc28a271d43a78855638144eb6603f7b2725de11fe6ac2f88a68182869793f0aad6ded8",
     {0, 1, 127, 128, 255, 33, 97, 200},
     {-0x1.afbe000000000p+4f, 0x1.afbe000000000p+1f, -0x1.0dd6c00000000p+6f, -0x1.3bd9900000000p+5f, 0x1.660e300000000p+6f, 0x1.2298800000000p+2f, -0x1.0dd6c00000000p+6f, -0x1.2136400000000p+5f}, 107.80581665039062},
    {DType::mxfp4,
     "794ae5f1a94106a0956a26afbccdafe562",
     {0, 1, 15, 16, 31, 7, 11, 24},
     {-0x1.0000000000000p-6f, 0x1.8000000000000p-5f, 0x1.0000000000000p-6f, 0x1.0000000000000p-5f, 0x1.0000000000000p-4f, 0x1.8000000000000p-5f, -0x1.0000000000000p-5f, 0x1.0000000000000p-4f}, -0.1484375},
};

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
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k, DType::iq4_nl, DType::iq4_xs, DType::mxfp4})
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
      const bool fits = table_to_q8_0(DType::mxfp4, block.data(), q8.data());
      CHECK_EQUAL(fits, zero || (exponent >= 104 && exponent <= 143));
      if (!fits) continue;
      std::array<float, 32> expected, found;
      dequantize(DType::mxfp4, block.data(), 32, expected.data());
      dequantize(DType::q8_0, q8.data(), 32, found.data());
      CHECK(found == expected, "exponent ", exponent);
    }
}

TEST("dtype: blocks of IQ4_NL are the same in Q8_0") {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::array<std::byte, 18> block;
    for (std::byte& byte : block) byte = static_cast<std::byte>(random());
    std::array<std::byte, 34> q8;
    CHECK(table_to_q8_0(DType::iq4_nl, block.data(), q8.data()));
    if (first_not_finite(DType::iq4_nl, block.data(), 32) >= 0) continue;
    std::array<float, 32> expected, found;
    dequantize(DType::iq4_nl, block.data(), 32, expected.data());
    dequantize(DType::q8_0, q8.data(), 32, found.data());
    CHECK(found == expected);
  }
}

}  // namespace
}  // namespace sgmv::test
