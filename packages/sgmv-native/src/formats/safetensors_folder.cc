// The checkpoint of a model folder: one file, or the shards that an index names.
#include <set>

#include "formats/format_error.h"
#include "formats/json.h"
#include "formats/safetensors.h"
#include "sgmv/error.h"

namespace sgmv {
namespace {

constexpr uint64_t kIndexBytesMax = 64 << 20;

class ShardedSource : public TensorSource {
 public:
  const std::map<std::string, TensorInfo>& tensors() const override { return tensors_; }
  std::vector<std::byte> read(const TensorInfo& info) const override {
    return shards_[static_cast<size_t>(info.file)]->read(info);
  }

  void add(const std::filesystem::path& path) {
    auto shard = std::make_unique<SafetensorsFile>(path);
    for (auto [name, info] : shard->tensors()) {
      info.file = static_cast<int32_t>(shards_.size());
      if (!tensors_.emplace(name, info).second)
        throw FormatError("duplicate_tensor", path.filename().string(), name, "a tensor another shard has too", "each tensor once");
    }
    shards_.push_back(std::move(shard));
  }

 private:
  std::vector<std::unique_ptr<SafetensorsFile>> shards_;
  std::map<std::string, TensorInfo> tensors_;
};

std::set<std::string> shard_names(const std::filesystem::path& index) {
  const std::string file = index.filename().string();
  json::Value root;
  try {
    root = json::parse(read_text_file(index, kIndexBytesMax));
  } catch (const Error&) {
    throw;
  } catch (const std::runtime_error& error) {
    throw FormatError("bad_header", file, "", std::string("bad JSON ") + error.what(), "a JSON object");
  }
  const json::Value* map = root.find("weight_map");
  if (map == nullptr || !map->is_object())
    throw FormatError("bad_header", file, "weight_map", map == nullptr ? "nothing" : map->describe(), "an object");
  std::set<std::string> names;
  for (const auto& [tensor, shard] : map->object()) {
    // A shard is a plain file name: an index must not reach outside its folder.
    if (!shard.is_string() || shard.string().empty() || shard.string().find('/') != std::string::npos)
      throw FormatError("bad_header", file, "weight_map." + tensor, shard.describe(), "the name of a file in the folder");
    names.insert(shard.string());
  }
  return names;
}

}  // namespace

std::unique_ptr<TensorSource> open_safetensors_folder(const std::filesystem::path& folder) {
  const std::filesystem::path index = folder / "model.safetensors.index.json";
  const std::filesystem::path single = folder / "model.safetensors";
  // Beside a single file an index is what an earlier checkpoint left; Transformers does not look at it either.
  if (file_exists(single)) return std::make_unique<SafetensorsFile>(single);
  if (!file_exists(index))
    throw Error("model_not_found", folder.string() + ": has neither model.safetensors nor model.safetensors.index.json");
  auto source = std::make_unique<ShardedSource>();
  for (const std::string& name : shard_names(index)) source->add(folder / name);
  return source;
}

}  // namespace sgmv
