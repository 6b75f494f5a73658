// Files that are not what they seem, or change while they are read: a load of theirs fails with a stable code.
// Nothing here may hang or end the process.
#include <sys/stat.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <set>
#include <thread>

#include "check.h"
#include "formats/gguf.h"
#include "golden_folder.h"
#include "layers/lora_adapter.h"
#include "ones_base.h"
#include "sgmv/error.h"
#include "temp_folder.h"

namespace sgmv::test {
namespace {

namespace fs = std::filesystem;
const std::string kConfig = "adapter_config.json", kWeights = "adapter_model.safetensors";

std::string code_of(const std::function<void()>& action) {
  try {
    action();
    return "none";
  } catch (const Error& error) {
    return error.code();
  }
}

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Copies of a golden model of one file and of one of its adapters.
struct Files {
  TempFolder folder;
  fs::path model = folder.path() / "model", adapter = folder.path() / "adapter";
  ModelConfig config;

  Files() {
    const fs::path family = golden_root() / "llama-bias";
    fs::copy(family / "model", model);
    fs::copy(family / "adapters" / "all-r2", adapter);
    config = read_model_config(model);
  }
  std::string load_model() const {
    return code_of([&] { Model::load(model, {.threads = 1}); });
  }
  std::string load_adapter() const {
    return code_of([&] { load_lora_adapter(adapter, config, std::nullopt, OnesBase(config)); });
  }
  std::string inspect() const {
    const AdapterReport report = inspect_adapter(adapter, config);
    return report.problems.empty() ? "none" : report.problems[0].code;
  }
};

// Ways to put something else in the place of a file.
struct Disguise {
  const char* name;
  std::function<void(const fs::path&)> make;
};

const std::vector<Disguise>& disguises() {
  static const std::vector<Disguise> list = {
      {"a folder", [](const fs::path& path) { fs::create_directory(path); }},
      {"a FIFO", [](const fs::path& path) { CHECK_EQUAL(::mkfifo(path.c_str(), 0600), 0); }},
      {"a link to itself", [](const fs::path& path) { fs::create_symlink(path.filename(), path); }},
      {"a link to nothing", [](const fs::path& path) { fs::create_symlink("nowhere", path); }},
      {"a link to /dev/zero", [](const fs::path& path) { fs::create_symlink("/dev/zero", path); }},
      {"a link to a file of the kernel, without a size", [](const fs::path& path) { fs::create_symlink("/proc/self/maps", path); }},
      {"an empty file", [](const fs::path& path) { std::ofstream{path}; }},
      {"a sparse file of a terabyte", [](const fs::path& path) {
         std::ofstream{path};
         std::error_code unsupported;
         fs::resize_file(path, uint64_t{1} << 40, unsupported);
       }}};
  return list;
}

TEST("files: nothing that stands in for an adapter's file hangs or crashes a load") {
  const std::set<std::string> codes = {"missing_file", "unreadable_file", "bad_json", "bad_header", "truncated_file"};
  for (const Disguise& disguise : disguises())
    for (const std::string& file : {kConfig, kWeights}) {
      const Files files;
      fs::remove(files.adapter / file);
      disguise.make(files.adapter / file);
      CHECK(codes.contains(files.inspect()), file, " as ", disguise.name, " gave ", files.inspect());
      CHECK_EQUAL(files.load_adapter(), std::string("adapter_refused"));
    }
}

TEST("files: nothing that stands in for a model's file hangs or crashes a load") {
  const std::set<std::string> codes = {"model_not_found", "model_corrupt", "io_error"};
  for (const Disguise& disguise : disguises())
    for (const char* file : {"config.json", "model.safetensors"}) {
      const Files files;
      fs::remove(files.model / file);
      disguise.make(files.model / file);
      CHECK(codes.contains(files.load_model()), file, " as ", disguise.name, " gave ", files.load_model());
    }
}

TEST("files: what stands in for a model or an adapter as a whole") {
  const std::set<std::string> codes = {"model_not_found", "model_corrupt", "io_error"};
  for (const Disguise& disguise : disguises()) {
    for (const char* name : {"model", "model.gguf"}) {
      Files files;
      files.model = files.folder.path() / (std::string("other ") + name);
      disguise.make(files.model);
      CHECK(codes.contains(files.load_model()), name, " as ", disguise.name, " gave ", files.load_model());
    }
    Files files;
    files.adapter = files.folder.path() / "other adapter";
    disguise.make(files.adapter);
    const bool folder = fs::is_directory(fs::symlink_status(files.adapter));
    CHECK_EQUAL(files.load_adapter(), std::string(folder ? "adapter_refused" : "adapter_not_found"));
  }
}

// Root may read everything, so the test becomes somebody else for the while.
class Nobody {
 public:
  Nobody() : was_root_(::geteuid() == 0) { if (was_root_) CHECK_EQUAL(::seteuid(65534), 0); }
  ~Nobody() { if (was_root_ && ::seteuid(0) != 0) std::abort(); }

 private:
  bool was_root_;
};

TEST("files: what may not be read is said to be there and closed") {
  const Files files;
  fs::permissions(files.adapter / kWeights, fs::perms::none);
  fs::permissions(files.model / "config.json", fs::perms::none);
  const Nobody nobody;
  CHECK_EQUAL(files.inspect(), std::string("unreadable_file"));
  CHECK_EQUAL(files.load_adapter(), std::string("adapter_refused"));
  CHECK_THROWS(read_model_config(files.model), Error, "Permission denied");
}

TEST("files: a folder that may not be entered") {
  const Files files;
  fs::permissions(files.adapter, fs::perms::none);
  fs::permissions(files.model, fs::perms::none);
  {
    const Nobody nobody;
    CHECK_EQUAL(files.load_adapter(), std::string("adapter_refused"));
    CHECK_EQUAL(files.load_model(), std::string("io_error"));
  }
  fs::permissions(files.adapter, fs::perms::owner_all);
  fs::permissions(files.model, fs::perms::owner_all);
}

TEST("files: one that shrinks, vanishes or is replaced after it was opened") {
  const TempFolder folder;
  const std::string whole = safetensors_file({{"a", "F32", {2000}, f32_bytes(std::vector<float>(2000, 1.0f))}});
  const fs::path path = folder.write("x.safetensors", whole);
  const SafetensorsFile shrunk(path);
  fs::resize_file(path, whole.size() - 4);
  CHECK_THROWS(shrunk.read(*shrunk.find("a")), Error, "became shorter");

  folder.write("x.safetensors", whole);
  const SafetensorsFile kept(path);
  fs::rename(folder.write("other", "something else"), path);  // a new file takes the name; the old one lives on
  CHECK_EQUAL(kept.read(*kept.find("a")).size(), size_t{8000});
  fs::remove(path);
  CHECK_EQUAL(kept.read(*kept.find("a")).size(), size_t{8000});
}

// Another thread cuts, rewrites, removes and restores the file while it is loaded over and over. Every other round it lets
// whole loads pass, one of the cut file and one of the restored: most others see the file change under them.
void load_under_change(const fs::path& file, const std::set<std::string>& codes, const std::function<std::string()>& load) {
  const std::string whole = bytes_of(file);
  std::atomic<int> loads{0}, changes{0};
  std::jthread vandal([&](const std::stop_token& stop) {
    const auto let_a_load_pass = [&] {
      for (const int before = loads; loads < before + 2 && !stop.stop_requested();) std::this_thread::yield();
    };
    for (size_t i = 0; !stop.stop_requested(); ++i, ++changes) {
      const size_t cut = i * 7919 % whole.size();
      std::error_code ignored;
      if (i % 4 == 0) fs::resize_file(file, cut, ignored);
      else if (i % 4 == 1) std::ofstream(file, std::ios::binary) << whole.substr(cut);
      else if (i % 4 == 2) fs::remove(file, ignored);
      else std::ofstream(file, std::ios::binary) << whole;
      if (i % 8 == 0 || i % 8 == 3) let_a_load_pass();
    }
  });
  std::set<std::string> seen;
  for (int i = 0; i < (kSanitized ? 100 : 500) || changes < 8; ++i, ++loads) seen.insert(load());
  vandal.request_stop();
  vandal.join();
  for (const std::string& code : seen) CHECK(codes.contains(code), file.filename().string(), " gave ", code);
  CHECK(seen.contains("none") && seen.size() > 1, "loads of the cut file and of the restored one ended alike");
  std::ofstream(file, std::ios::binary) << whole;
  CHECK_EQUAL(load(), std::string("none"));
}

TEST("files: loads go on while somebody rewrites what is loaded") {
  const Files files;
  for (const std::string& file : {kConfig, kWeights})
    load_under_change(files.adapter / file, {"none", "adapter_refused", "io_error"}, [&] { return files.load_adapter(); });
  for (const char* file : {"config.json", "model.safetensors"})
    load_under_change(files.model / file, {"none", "model_not_found", "model_corrupt", "model_unsupported", "io_error"},
                      [&] { return files.load_model(); });
}

TEST("files: NaN and infinity in base weights are refused by the tensor's name") {
  const Files files;
  const fs::path path = files.model / "model.safetensors";
  const std::string whole = bytes_of(path);
  const SafetensorsFile file(path);
  for (const char* name : {"model.embed_tokens.weight", "model.layers.1.self_attn.k_proj.weight", "model.layers.0.self_attn.q_proj.bias", "model.norm.weight"})
    for (const uint16_t value : {0x7FC0, 0xFF80}) {  // bfloat16's
      const TensorInfo* info = file.find(name);
      CHECK(info != nullptr && info->dtype == DType::bf16, name);
      std::string broken = whole;
      std::memcpy(broken.data() + info->offset + 2, &value, sizeof value);
      std::ofstream(path, std::ios::binary) << broken;
      CHECK_EQUAL(files.load_model(), std::string("model_corrupt"));
      CHECK_THROWS(Model::load(files.model, {.threads = 1}), Error, name);
    }
}

}  // namespace
}  // namespace sgmv::test
