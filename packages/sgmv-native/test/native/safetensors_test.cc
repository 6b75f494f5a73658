#include "formats/safetensors.h"

#include "check.h"
#include "formats/format_error.h"
#include "golden_folder.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

void refuse(const std::string& bytes, const char* part) {
  const TempFolder folder;
  CHECK_THROWS(SafetensorsFile(folder.write("x.safetensors", bytes)), FormatError, part);
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "{\"t\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
}

TEST("safetensors: a sound file is read") {
  const TempFolder folder;
  const SafetensorsFile file(folder.write("x.safetensors", safetensors_file({{"a", "F32", {2, 2}, f32_bytes({1, 2, 3, 4})}, {"b", "BF16", {0, 5}, ""}})));
  const TensorInfo* info = file.find("a");
  CHECK(info != nullptr && info->dtype == DType::f32);
  const std::vector<std::byte> data = file.read(*info);
  float values[4];
  std::memcpy(values, data.data(), sizeof values);
  CHECK_EQUAL(values[3], 4.0f);
  CHECK_EQUAL(file.find("b")->elements(), 0);
}

TEST("safetensors: broken headers are refused") {
  refuse("", "a safetensors header");
  refuse("abc", "a safetensors header");
  std::string huge;
  append<uint64_t>(huge, UINT64_MAX);
  refuse(huge + "{}", "at most 100,000,000");
  std::string beyond;
  append<uint64_t>(beyond, 1000);
  refuse(beyond + "{}", "a header of 1000 bytes");
  refuse(safetensors_bytes("", ""), "leading '{'");
  refuse(safetensors_bytes(" {}", ""), "leading '{'");
  refuse(safetensors_bytes("{\"a\":", ""), "bad JSON");
  refuse(safetensors_bytes(std::string(1, '{') + std::string(5000, '['), ""), "bad JSON");
  refuse(safetensors_bytes("{\"t\":5}", ""), "no dtype");
  refuse(safetensors_bytes("{\"__metadata__\":5}", ""), "object of strings");
}

TEST("safetensors: hostile entries are refused") {
  const std::string four(16, '\0');
  refuse(safetensors_bytes(entry("F32", "[4]", "[0,32]"), four), "within the 16 bytes");
  refuse(safetensors_bytes(entry("F32", "[5]", "[0,16]"), four), "20 bytes for shape");
  refuse(safetensors_bytes(entry("F32", "[4]", "[16,0]"), four), "begin");
  refuse(safetensors_bytes(entry("F32", "[4]", "[-4,12]"), four), "begin");
  refuse(safetensors_bytes(entry("F32", "[-4]", "[0,16]"), four), "whole dimensions");
  refuse(safetensors_bytes(entry("F32", "[4.0]", "[0,16]"), four), "whole dimensions");
  refuse(safetensors_bytes(entry("F32", "[4611686018427387904,4]", "[0,16]"), four), "fits in memory");
  refuse(safetensors_bytes(entry("F32", "[9223372036854775807]", "[0,16]"), four), "fits in memory");
  refuse(safetensors_bytes(entry("F32", "[4]", "[0]"), four), "data_offsets");
  refuse(safetensors_bytes(entry("F32", "[4]", "[9223372036854775807,9223372036854775807]"), four), "within");
  refuse(safetensors_bytes(entry("Q9", "[4]", "[0,16]"), four), "Q9");
  refuse(safetensors_bytes(entry("F32", "[1,1,1,1,1,1,1,1,4]", "[0,16]"), four), "at most 8");
  refuse(safetensors_bytes(entry("F32", "[4]", "[0,16]"), four + "hidden"), "end with its last tensor");
  refuse(safetensors_bytes(entry("F32", "[3]", "[4,16]"), four), "without gap");
}

TEST("safetensors: overlap, gap and duplicate names are refused") {
  const auto two = [](const char* second, const char* offsets) {
    return std::string("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"") + second +
           "\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":" + offsets + "}}";
  };
  refuse(safetensors_bytes(two("b", "[4,12]"), std::string(12, 0)), "without gap or overlap");
  refuse(safetensors_bytes(two("b", "[0,8]"), std::string(8, 0)), "without gap or overlap");
  refuse(safetensors_bytes(two("b", "[12,20]"), std::string(20, 0)), "without gap or overlap");
  refuse(safetensors_bytes(two("a", "[8,16]"), std::string(16, 0)), "no second key");
}

TEST("safetensors: truncation at every length of a real adapter's head is refused") {
  std::ifstream in(golden_root() / "llama2" / "adapters" / "o-r3" / "adapter_model.safetensors", std::ios::binary);
  if (!in) throw Skip("llama2 golden folder is not there");
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  const TempFolder folder;
  for (size_t length = 0; length < whole.size(); length += length < 800 ? 1 : 97) {
    const auto path = folder.write("x.safetensors", whole.substr(0, length));
    CHECK_THROWS(SafetensorsFile{path}, FormatError, "");
  }
}

TEST("safetensors: a flipped bit never crashes") {
  std::ifstream in(golden_root() / "llama2" / "adapters" / "o-r3" / "adapter_model.safetensors", std::ios::binary);
  if (!in) throw Skip("llama2 golden folder is not there");
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  const TempFolder folder;
  int opened = 0;
  for (size_t at = 0; at < 900 && at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(broken[at] ^ (1 << (at % 8)));
    try {
      const SafetensorsFile file(folder.write("x.safetensors", broken));
      for (const auto& [name, info] : file.tensors()) CHECK_EQUAL(file.read(info).size(), info.bytes);
      ++opened;
    } catch (const FormatError&) {
    }
  }
  CHECK(opened < 900);
}

TEST("safetensors: shards stay in their folder, and no tensor is in two") {
  const TempFolder folder;
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"../secret.safetensors"}})");
  CHECK_THROWS(open_safetensors_folder(folder.path()), FormatError, "name of a file in the folder");
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"1.safetensors","b":"2.safetensors"}})");
  const std::string one = safetensors_file({{"a", "F32", {1}, f32_bytes({1})}});
  folder.write("1.safetensors", one);
  folder.write("2.safetensors", one);
  CHECK_THROWS(open_safetensors_folder(folder.path()), FormatError, "another shard");
  folder.write("2.safetensors", safetensors_file({{"b", "F32", {1}, f32_bytes({1})}}));
  CHECK_EQUAL(open_safetensors_folder(folder.path())->tensors().size(), 2u);
  CHECK_THROWS(SafetensorsFile(folder.path()), Error, "regular file");
}

TEST("safetensors: a single file counts, not the index beside it") {
  const TempFolder folder;
  folder.write("model.safetensors.index.json", R"({"weight_map":{"a":"model-1.safetensors"}})");
  folder.write("model-1.safetensors", safetensors_file({{"a", "F32", {1}, f32_bytes({1})}}));
  CHECK(open_safetensors_folder(folder.path())->find("a") != nullptr);
  folder.write("model.safetensors", safetensors_file({{"b", "F32", {1}, f32_bytes({1})}}));
  CHECK(open_safetensors_folder(folder.path())->find("a") == nullptr);
  CHECK(open_safetensors_folder(folder.path())->find("b") != nullptr);
}

}  // namespace
}  // namespace sgmv::test
