#include "golden_folder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "check.h"
#include "formats/file_reader.h"

namespace sgmv::test {
namespace {

std::vector<int32_t> integers(const json::Value* list) {
  std::vector<int32_t> result;
  if (list != nullptr)
    for (const json::Value& item : list->array()) result.push_back(static_cast<int32_t>(item.integer()));
  return result;
}

}  // namespace

GoldenFolder::GoldenFolder(const std::filesystem::path& folder) {
  const json::Value root = json::parse(read_text_file(folder / "golden.json", 64 << 20));
  model_ = folder / root.find("model")->string();
  for (const json::Value& item : root.find("cases")->array()) {
    GoldenCase golden;
    golden.name = item.find("name")->string();
    if (!item.find("adapter")->is_null()) golden.adapter = item.find("adapter")->string();
    golden.prompt = integers(item.find("promptTokens"));
    golden.greedy = integers(item.find("greedy"));
    if (const json::Value* gaps = item.find("gaps"))
      for (const json::Value& gap : gaps->array()) golden.gaps.push_back(gap.number());
    cases_.push_back(std::move(golden));
  }
  file_ = std::make_unique<SafetensorsFile>(folder / "golden.safetensors");
}

template <typename T>
std::vector<T> GoldenFolder::tensor(const std::string& name) const {
  const TensorInfo* info = file_->find(name);
  if (info == nullptr) throw Failure("golden.safetensors has no " + name);
  const std::vector<std::byte> data = file_->read(*info);
  std::vector<T> values(data.size() / sizeof(T));
  std::memcpy(values.data(), data.data(), data.size());
  return values;
}

size_t GoldenFolder::row_width(const GoldenCase& golden) const { return static_cast<size_t>(file_->find(golden.name + "/logits")->shape.back()); }

std::vector<float> GoldenFolder::logits(const GoldenCase& golden) const { return tensor<float>(golden.name + "/logits"); }

std::vector<float> GoldenFolder::sample(const GoldenCase& golden, const std::vector<float>& found) const {
  const auto rows = static_cast<int32_t>(file_->find(golden.name + "/logits")->shape.size() == 2 ? golden.prompt.size() : 1);
  const auto vocabulary = static_cast<int32_t>(found.size() / static_cast<size_t>(rows));
  const auto chosen = [&](const char* part, int32_t count) {
    if (file_->find(golden.name + part) != nullptr) return tensor<int32_t>(golden.name + part);
    std::vector<int32_t> all(static_cast<size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
  };
  const std::vector<int32_t> tokens = chosen("/tokens", vocabulary);
  std::vector<float> result;
  for (const int32_t row : chosen("/positions", rows))
    for (const int32_t token : tokens) result.push_back(found.at(static_cast<size_t>(row * vocabulary + token)));
  return result;
}

std::filesystem::path golden_root() { return SGMV_TEST_GOLDEN_DIR; }

std::vector<std::filesystem::path> golden_families() {
  const char* given = std::getenv("SGMV_GOLDEN");
  std::filesystem::path root = given != nullptr ? std::filesystem::path(given) : golden_root();
  if (std::filesystem::exists(root / "tiny")) root /= "tiny";
  std::vector<std::filesystem::path> folders;
  for (const auto& entry : std::filesystem::directory_iterator(root))
    if (std::filesystem::exists(entry.path() / "golden.json") && std::filesystem::exists(GoldenFolder(entry.path()).model())) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  const size_t least = given != nullptr ? 1 : 33;
  if (folders.size() < least) throw Failure("found " + std::to_string(folders.size()) + " golden families in " + root.string() + ", expected " + std::to_string(least) + " or more");
  return folders;
}

std::filesystem::path smollm2_weights() {
  const char* cache = std::getenv("ARIL_CACHE");
  const char* home = std::getenv("HOME");
  const std::filesystem::path root = cache != nullptr ? std::filesystem::path(cache) : std::filesystem::path(home != nullptr ? home : "/root") / ".cache" / "aril";
  const std::filesystem::path file = root / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!std::filesystem::exists(file)) throw Skip(file.string() + " is not there");
  return file;
}

Session::Session(Model& model, const Adapter* adapter, int32_t positions, int32_t block_size) : model_(model), adapter_(adapter) {
  const int32_t count = (positions + block_size - 1) / block_size;
  cache_ = model.make_kv_cache(count, block_size, KvMemory::whole, 2);
  for (int32_t i = 0; i < count; ++i) blocks_.push_back(count - 1 - i);  // backwards: order must not matter
}

std::vector<float> Session::feed(const std::vector<int32_t>& tokens, bool all) {
  const auto count = static_cast<int32_t>(tokens.size());
  const SequenceSlice slice{0, count, position_, blocks_, 0, position_ == 0 ? -1 : state_, 1 - state_};
  if (position_ == 0 && adapter_ != nullptr) adapted_from_ = adapter_->acts_from(tokens);
  const int32_t of_base = std::clamp(adapted_from_ - position_, 0, count);
  const Segment segments[] = {{0, of_base, nullptr}, {of_base, count, adapter_}};
  std::vector<int32_t> rows;
  for (int32_t i = all ? 0 : count - 1; i < count; ++i) rows.push_back(i);
  std::vector<float> logits(rows.size() * static_cast<size_t>(model_.config().vocab_size), NAN);
  model_.forward({tokens, {&slice, 1}, segments, rows}, *cache_, logits);
  position_ += count;
  state_ = 1 - state_;
  return logits;
}

Difference compare(const std::vector<float>& found, const std::vector<float>& expected) {
  if (found.size() != expected.size()) throw Failure("sizes differ: " + std::to_string(found.size()) + " and " + std::to_string(expected.size()));
  Difference result;
  double largest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    const double difference = std::abs(double(found[i]) - expected[i]);
    if (!(difference <= result.absolute)) result.absolute = difference;  // NaN counts
    largest = std::max(largest, std::abs(double(expected[i])));
  }
  result.relative = result.absolute / largest;
  return result;
}

}  // namespace sgmv::test
