// Reads byte ranges of a regular file with pread. Nothing is mapped: a file that shrinks while it is read gives an
// error here, where a mapping would give SIGBUS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace sgmv {

class FileReader {
 public:
  explicit FileReader(const std::filesystem::path& path);  // throws Error io_error
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  uint64_t size() const { return size_; }
  const std::filesystem::path& path() const { return path_; }
  void read(uint64_t offset, void* out, size_t bytes) const;  // throws Error io_error when short

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

// False only when nothing is there. What is there and cannot be looked at (a loop of links, a closed folder) counts:
// opening it then says why. Never throws for what a folder holds.
bool file_exists(const std::filesystem::path& path);

// The whole of a small text file. Throws Error io_error when it is missing, no regular file or over `bytes_max`.
std::string read_text_file(const std::filesystem::path& path, uint64_t bytes_max);

}  // namespace sgmv
