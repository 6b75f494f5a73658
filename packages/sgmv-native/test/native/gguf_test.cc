#include "formats/gguf.h"

#include <cmath>

#include "check.h"
#include "formats/format_error.h"
#include "golden_folder.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

// Builds small GGUF files piece by piece.
struct Builder {
  std::string keys, tensors;
  uint64_t key_count = 0, tensor_count = 0;

  void name(std::string& out, const std::string& text) {
    append<uint64_t>(out, text.size());
    out += text;
  }
  Builder& key_u32(const std::string& key, uint32_t value) {
    name(keys, key);
    append<uint32_t>(keys, 4);
    append(keys, value);
    ++key_count;
    return *this;
  }
  Builder& key_text(const std::string& key, const std::string& value) {
    name(keys, key);
    append<uint32_t>(keys, 8);
    name(keys, value);
    ++key_count;
    return *this;
  }
  Builder& tensor(const std::string& text, const std::vector<uint64_t>& sizes, uint32_t type, uint64_t offset) {
    name(tensors, text);
    append<uint32_t>(tensors, static_cast<uint32_t>(sizes.size()));
    for (const uint64_t size : sizes) append(tensors, size);
    append(tensors, type);
    append(tensors, offset);
    ++tensor_count;
    return *this;
  }
  std::string bytes(const std::string& data, uint32_t version = 3) const {
    std::string out = "GGUF";
    append(out, version);
    append(out, tensor_count);
    append(out, key_count);
    out += keys + tensors;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data;
  }
};

void refuse(const std::string& bytes, const char* part) {
  const TempFolder folder;
  CHECK_THROWS(GgufFile(folder.write("x.gguf", bytes)), FormatError, part);
}

TEST("gguf: metadata and a tensor are read") {
  const TempFolder folder;
  Builder b;
  b.key_text("general.architecture", "llama").key_u32("llama.block_count", 3).tensor("t", {2, 3}, 0, 0);
  const GgufFile file(folder.write("x.gguf", b.bytes(f32_bytes({1, 2, 3, 4, 5, 6}))));
  CHECK_EQUAL(file.text("general.architecture").value(), "llama");
  CHECK_EQUAL(file.integer("llama.block_count").value(), 3);
  CHECK(!file.integer("general.architecture") && !file.number("none"));
  const TensorInfo* info = file.find("t");
  CHECK((info->shape == std::vector<int64_t>{3, 2}));
  float last;
  std::memcpy(&last, file.read(*info).data() + 20, 4);
  CHECK_EQUAL(last, 6.0f);
}

TEST("gguf: broken files are refused") {
  const std::string data(64, '\0');
  refuse("", "more header");
  refuse("GGUX" + std::string(60, '\0'), "magic");
  refuse(Builder().bytes("", 1), "version 1");
  refuse(Builder().bytes("", 0x03000000), "little-endian");
  refuse(Builder().tensor("t", {4}, 0, 0).bytes(""), "within the file");
  refuse(Builder().tensor("t", {64}, 0, 0).bytes(data), "within the file");
  refuse(Builder().tensor("t", {4}, 0, 32 + 64).bytes(data), "within the file");
  refuse(Builder().tensor("t", {4}, 0, UINT64_MAX - 31).bytes(data), "within the file");
  refuse(Builder().tensor("t", {4}, 0, 5).bytes(data), "multiple of 32");
  refuse(Builder().tensor("t", {uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0).bytes(data), "fits in memory");
  refuse(Builder().tensor("t", {0}, 0, 0).bytes(data), "fits in memory");
  refuse(Builder().tensor("t", {1, 1, 1, 1, 1}, 0, 0).bytes(data), "1 to 4");
  refuse(Builder().tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 0).bytes(data), "twice");
  refuse(Builder().tensor("t", {33}, 3, 0).bytes(data), "multiple of 32");
  refuse(Builder().key_u32("a", 1).key_u32("a", 2).bytes(data), "twice");
  refuse(Builder().key_u32("general.alignment", 3).tensor("t", {4}, 0, 0).bytes(data), "power of two");
  Builder many;
  many.tensor_count = uint64_t{1} << 50;
  refuse(many.bytes(data), "at most 1,048,576");
}

TEST("gguf: hostile metadata is refused") {
  const auto with_value = [](uint32_t type, const std::string& value) {
    Builder b;
    b.name(b.keys, "k");
    append(b.keys, type);
    b.keys += value;
    b.key_count = 1;
    return b.bytes("");
  };
  std::string array;
  append<uint32_t>(array, 4);
  append<uint64_t>(array, UINT64_MAX);
  refuse(with_value(9, array), "more header");
  std::string strings;
  append<uint32_t>(strings, 8);
  append<uint64_t>(strings, UINT64_MAX);
  append<uint64_t>(strings, UINT64_MAX);
  refuse(with_value(9, strings), "more header");
  std::string nested;
  append<uint32_t>(nested, 9);
  append<uint64_t>(nested, 1);
  refuse(with_value(9, nested), "array of arrays");
  std::string text;
  append<uint64_t>(text, uint64_t{1} << 62);
  refuse(with_value(8, text), "at most");
  refuse(with_value(99, ""), "type of GGUF");
}

TEST("gguf: tensors that share bytes are refused") {
  const std::string data(128, '\0');
  refuse(Builder().tensor("a", {16}, 0, 0).tensor("b", {8}, 0, 32).bytes(data), "overlaps \"a\"");
  refuse(Builder().tensor("a", {16}, 0, 32).tensor("b", {8}, 0, 32).bytes(data), "overlaps");
  const TempFolder folder;
  CHECK_EQUAL(GgufFile(folder.write("x.gguf", Builder().tensor("a", {16}, 0, 64).tensor("b", {16}, 0, 0).bytes(data))).tensors().size(), 2u);
}

TEST("gguf: truncated and flipped files never crash") {
  Builder b;
  b.key_text("general.architecture", "llama").key_u32("llama.block_count", 3).tensor("t", {32, 3}, 3, 0);
  const std::string whole = b.bytes(std::string(60, 'x'));
  const TempFolder folder;
  for (size_t length = 0; length < whole.size(); ++length)
    CHECK_THROWS(GgufFile(folder.write("x.gguf", whole.substr(0, length))), FormatError, "");
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string broken = whole;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << (bit % 8)));
    try {
      const GgufFile file(folder.write("x.gguf", broken));
      for (const auto& [name, info] : file.tensors()) file.read(info);
    } catch (const FormatError&) {
    }
  }
}

TEST("gguf: SmolLM2's configuration") {
  const ModelConfig config = read_model_config(smollm2_weights());
  CHECK_EQUAL(config.layers, 30);
  CHECK_EQUAL(config.hidden_size, 576);
  CHECK_EQUAL(config.intermediate_size, 1536);
  CHECK_EQUAL(config.heads, 9);
  CHECK_EQUAL(config.kv_heads, 3);
  CHECK_EQUAL(config.head_dim, 64);
  CHECK_EQUAL(config.vocab_size, 49152);
  CHECK_EQUAL(config.max_positions, 8192);
  CHECK_EQUAL(config.rope.theta, 100000.0);
  CHECK(config.tied_embeddings && !config.attention_bias);
  CHECK((config.end_tokens == std::vector<int32_t>{2}));
}

TEST("dtype: half precision is exact") {
  CHECK_EQUAL(f16_to_float(0x3C00), 1.0f);
  CHECK_EQUAL(f16_to_float(0xC000), -2.0f);
  CHECK_EQUAL(f16_to_float(0x0001), 0x1p-24f);
  CHECK_EQUAL(f16_to_float(0x83FF), -1023 * 0x1p-24f);
  CHECK_EQUAL(f16_to_float(0x7BFF), 65504.0f);
  CHECK(std::isinf(f16_to_float(0x7C00)) && std::isnan(f16_to_float(0x7C01)));
  CHECK_EQUAL(bf16_to_float(0x3F80), 1.0f);
}

}  // namespace
}  // namespace sgmv::test
