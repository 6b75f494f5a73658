// Whether an adapter's base weights are those of a model whose GGUF file has them rounded: by numbers that llama.cpp's quantizer wrote.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "check.h"
#include "formats/dtype.h"
#include "formats/file_reader.h"
#include "formats/safetensors.h"
#include "golden_folder.h"
#include "hex.h"
#include "layers/lora_checks.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

// numbers(1) as ggml_quantize_chunk() writes them.
struct Quantized {
  DType dtype;
  std::string hex;
};
const std::vector<Quantized> kRows = {
    {DType::q8_0,
     "751781340a00fff0bb651e0400fce096410f0100f5c97a270600fee8a951150200f9a417d681310900ffefbb601c0300fce0963e0e0100f5c974250600fee8a94d140100d317f9d6812e0900ffefbb5b"
     "1a0300fbdf963a0d0100f4c86e230500fde8a8491201021800f8d5812c0800ffefba57180300fbdf96370c0000f4c869200500fde7a84511ec170100f8d37f2b0800ffeeb755180200fbdd92360b00ff"
     "f3c568200400fde6a544bb17110100f7d07f2a0700feecb355170200fadb8c360b00fff2c2671f0400fde4a08c1745100100f6ce7f2a0700feebaf55170200fad986350b00fff1bf671f0400fce26917"
     "9944100100f6cb7e290700fee9ab54160200f9d781350a00fff0bb661e0400fc"},
    {DType::q4_0,
     "6627808b7958f8a7848e8a7838d896818c89942795808b7958f8a7848e8a6828d896818cc427c895808b7948f8a7848e8a6828d89681f42718b895808b7848f8a7848d8a6828c896dca7a8f8597b8085"
     "98c818698d8387a8e848aca787a8f8597b808598c818698d8387a8e87da78487a8f8597b808598c818698d8387a85a27828c895808b7958f8b7848e8a7838d89"},
    {DType::q4_1,
     "b92766b3808b7848f8a7848e896828d796818c79bb2794b395808b7848f8a7848e8a6828d896818cbc27c4b3c895808b7958f8a7848e8a6828d89681bf27f4b318c895808b7958f8a7948e8a7838d896"
     "d527d3b25707a6847f7a6737e796727c785717b7d32700b3785707a7847f7a6837e796727c795717d2272db37b785707b7847f7a6837e796827c7967d2275ab3818c785808b7848f7a7838e796838d79"},
    {DType::q5_0,
     "66239ec7f3790007f190f05e170d04d050af3c0308f294233c8fe7f32b0006f190f05e170c03d050af2c0308c423781ecfe77f2b0006f190e04e170c03d0509f2c03f423f13c9ecf307f1b0005e190d0"
     "4e170b03d0509f2cdca38fe7f37840e091f6000b2f7030c2f9050d30c071aca31ecfe7f11e50f091f6000b2f8030c2fa050d40c07da33c9ecff3071e50f091f6000b2f8030c30a050d405a239ecfe379"
     "0309f2b0007f190f05e170d04d050bf3"},
    {DType::q5_1,
     "7a2366b39ec7f3790006e190f05e170c04d050af2c0308f27b2394b33c9fe7f32b0006f190f05e170c04d150a03c03087d23c4b3793ecfe7802b1017f291f05e181d04d151a03c137f23f4b3f37c9ecf"
     "31803b1017f291f15f281d14e151a03d9423d3b230180c83af0e5d09efe4df7ece3cf5eae2bf2e7e922300b3e1301806e1af0f6e09fff4d07fcf3cf5fae2bf3f91232db3c361301cf8e1af0f6e19fff4"
     "d07fcf3d05faf2bf91235ab39ec7e3780308f1a0006e190ff5e070cf3d050af2"},
    {DType::q2_k,
     "efaeefaeffaeffdf8edf9edf7defbfefa4924a2aaaa9a5a79e7aeaaaa9a4934a25959595934e79e5959594924a29e59525959554534e79e59555545249259595a5a4924a2aaaa9a5975e7aeaaaa5a492"
     "c3203e24"},
    {DType::q3_k,
     "9c3973f7efcf9c3973f7ffefce9c3973e3cf9f3f7efcf1ebdfbf7ffef4e1cb9f0c32c41040000e3bedb4d040030d36d86080000208238cf04001071df75cb040ecb0c00108238c30c001061977dc70c0"
     "030d32c8208000020b2db4d040030d36e30ad23ac24ac230f00ff0032f98"},
    {DType::q4_k,
     "2510a21bfef9f9f9fcfdfeff8d9dbfcf500ab8878786733de9a7878785611bc8978786744ef9a7878786622cd89787878885500bb9988887733eeaa8888886611cc9988887744ffaa8888886622dd998"
     "877776644ff997777776622cc887777675500aa7877776633dd997777775511b1bb8877776644ee997777776622cc887777775500aa8877776633dd997777775"},
    {DType::q5_k,
     "b20b111cfefffffffafcfdff7f7f8eaf68c983879f3e7ce9c3878f1e3e6cc9c3878f1e3c69c3878f1f3e6cc9c3878f1eb0066110000ee77cc440100f0cc3388220000ef99ff55110000dd55aa230000f"
     "1f0bb0067120101ef78cc44110100cd3388220101ff99ff55120101de55aa3311ffffee99ff4400ffffcc55aa22ffffeeaa006600ffffdd77cc33ffffeebb32838812f0f0ee99ff5500f0ffdd55aa220"
     "0f0efab006611f0ffde77cc3300f0ffb"},
    {DType::q6_k,
     "e16d12b0200c0fc9f761601f08f68064f0c0030e30060e60f106177b9ab0b00206e16c12b0200c0fc8f751601f08f68f1c0030030fc0f6fea01107f89b6b4050f0c0020b21c61e60e005025b4abfa0f1"
     "06e16f03e0300c0fcdf9b1801f09f683acf0c0020c31d60e60e005136b5abfa00e06e06f13d0300c0fcdf991701f08f594524a2aaaa9a4934e3aeaa9a594534a06daaaaaa87105d69aaaab6c7106daaa"
     "c61a6aaaa8a185165a6aabacb1c5165aa594524a2aaaa9a4934e3aeaa9a594538a6e876c836980967e937b947890728a1d84"},
    {DType::iq4_nl,
     "cc17808c7948f8b7838e8a6828d8a5818d79dc1795808c7948f8b6838e8a6828d895818ce517c794808c7948f8b6838e8a6828d89581fb1718c794808b7948f8b6838e8a6828d795f397b8f8497b8084"
     "97c818598d8286a8e838e79786b8f8497c808597c8185a8d8286a8e8a9978386b8f8497c808597d8185a8e8286a8b917818d795808c7948f8b7838e8a6828e8a"},
    {DType::iq4_xs,
     "fd83003f0100ff1f808c7948f8b7838e8a6828d8a5818d7995808c7948f8b7838e8a6828d895818cc795808b7948f8b6838e8a6828d8958118c794808b7948f8b6838e8a6828d795b8f8497c808497c8"
     "18598d8286a8e83886b8f8497c808497d8185a8d8286a8e88386b8f8497c808597d8185a8d8286a8818d795808c7948f8b7838e8a6828e8a"},
    {DType::mxfp4,
     "7a0f0591d0704a1e0703b0f0602c0f06927a2d0f0591d0704a1e0703b0f0692c0f067a692d0f0591d0704a1e0703b0f0692c0f7af0591d0f05a1e0704a1e0703b0f0692c7ac0f0591d0705a1e0704a1e"
     "0703b0f0697a92c0f0591d0705a1e0704a0e0703b0f07a0692c0f0591d0704a1e0704a0e0703c07a0f0692c0f0591d0704a1e0703b0e0603"},
};

// 256 of a heavy-tailed row; another `seed`, another row.
std::vector<float> numbers(int seed) {
  std::vector<float> values;
  for (int i = 0; i < 256; ++i) values.push_back(static_cast<float>(std::pow(((i * (7822 + 97 * seed) + 13) % 1009) / 504.5 - 1, 3) * 0.25));
  return values;
}

TEST("base rows: what a quantizer made of a checkpoint's row is that row, another one is not") {
  const std::vector<float> values = numbers(1);
  for (const auto& [dtype, hex] : kRows) {
    std::vector<float> kept(values.size());
    dequantize(dtype, from_hex(hex).data(), 256, kept.data());
    const auto is = [&](const std::vector<float>& row) { return may_be_row(row, kept, dtype, 0); };
    CHECK(is(values), dtype_name(dtype));
    CHECK(!may_be_row(values, kept, DType::f32, 0), dtype_name(dtype));
    for (int seed = 2; seed < 60; ++seed) CHECK(!is(numbers(seed)), dtype_name(dtype), " ", seed);
    for (const float factor : {-1.0f, 0.0f, 0.2f, 4.0f}) {
      std::vector<float> scaled = values;
      for (float& value : scaled) value *= factor;
      CHECK(!is(scaled), dtype_name(dtype), " times ", factor);
    }
    std::vector<float> moved = values;
    std::rotate(moved.begin(), moved.begin() + 1, moved.end());
    CHECK(!is(moved), dtype_name(dtype));
    moved = values;
    moved[100] = NAN;
    CHECK(!is(moved), dtype_name(dtype));
  }
}

TEST("base rows: a row of zeros is itself alone") {
  const std::vector<float> zeros(256), values = numbers(1);
  for (const DType dtype : {DType::f32, DType::q4_k, DType::q8_0}) {
    CHECK(may_be_row(zeros, zeros, dtype, 0));
    CHECK(!may_be_row(zeros, values, dtype, 0) && !may_be_row(values, zeros, dtype, 0));
  }
}

// The golden test loads the adapter as it is.
TEST("base rows: an adapter of another model than the quantized one is refused") {
  const std::filesystem::path golden = golden_root() / "gguf-quantized", adapter = golden / "adapters" / "ends";
  for (const WeightType type : {WeightType::f32, WeightType::bf16, WeightType::i8})
    for (const char* module : {"base_model.model.model.embed_tokens.base_layer.weight", "base_model.model.lm_head.base_layer.weight"}) {
      const auto model = Model::load(golden / "model.gguf", {1, "", type});
      const TensorInfo info = *SafetensorsFile(adapter / "adapter_model.safetensors").find(module);
      std::string bytes = read_text_file(adapter / "adapter_model.safetensors", 1 << 20);
      const auto row = info.bytes / static_cast<uint64_t>(info.shape[0]);
      const TempFolder folder;
      folder.write("adapter_config.json", read_text_file(adapter / "adapter_config.json", 1 << 20));
      folder.write("adapter_model.safetensors", bytes);
      CHECK(model->load_adapter(folder.path()) != nullptr);
      std::rotate(bytes.begin() + static_cast<std::ptrdiff_t>(info.offset + 5 * row), bytes.begin() + static_cast<std::ptrdiff_t>(info.offset + 6 * row), bytes.begin() + static_cast<std::ptrdiff_t>(info.offset + 7 * row));
      folder.write("adapter_model.safetensors", bytes);
      CHECK_THROWS(model->load_adapter(folder.path()), Error, std::string(module) + ": found other values from row 5 on");
    }
}

}  // namespace
}  // namespace sgmv::test
