#include "fuzz_files.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace sgmv::fuzz {

MemoryFile::MemoryFile() : fd_(::memfd_create("sgmv-fuzz", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(fd_)) {
  require(fd_ >= 0, "memfd_create failed");
}

MemoryFile::~MemoryFile() { ::close(fd_); }

void MemoryFile::write(std::string_view bytes) {
  require(::ftruncate(fd_, 0) == 0, "the memory file cannot be emptied");
  require(::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()), "the memory file cannot be written");
}

MemoryFolder::MemoryFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "sgmv-fuzz-XXXXXX").string();
  require(::mkdtemp(path.data()) != nullptr, "mkdtemp failed");
  path_ = path;
}

MemoryFolder::~MemoryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void MemoryFolder::add(const std::string& name, const MemoryFile& file) const {
  std::filesystem::create_symlink(file.path(), path_ / name);
}

std::string corpus_file(const std::string& name) {
  std::ifstream in(std::string(SGMV_FUZZ_CORPUS_DIR "/") + name, std::ios::binary);
  require(static_cast<bool>(in), ("corpus file missing: " + name).c_str());
  return {std::istreambuf_iterator<char>(in), {}};
}

void require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "fuzz: %s\n", what);
  std::abort();
}

}  // namespace sgmv::fuzz
