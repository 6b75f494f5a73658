// Files for the fuzz targets. The formats read files by path, so a target's bytes become a file in memory: nothing
// touches a disk, and the reader's own open, fstat and pread are part of what is tested.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace sgmv::fuzz {

// A regular file that exists only in memory. Its path holds as long as the object does.
class MemoryFile {
 public:
  MemoryFile();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void write(std::string_view bytes);  // instead of what was there
  const std::filesystem::path& path() const { return path_; }

 private:
  int fd_;
  std::filesystem::path path_;
};

// A folder whose entries are memory files. Removed when the process ends as it should.
class MemoryFolder {
 public:
  MemoryFolder();
  ~MemoryFolder();
  void add(const std::string& name, const MemoryFile& file) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A file of the checked-in corpus, e.g. "peft_config/all.json".
std::string corpus_file(const std::string& name);

inline std::string_view as_text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the process with the message: the fuzzer keeps the input.
void require(bool condition, const char* what);

}  // namespace sgmv::fuzz
