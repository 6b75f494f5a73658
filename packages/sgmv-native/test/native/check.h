// A test framework of one header: tests register themselves, checks throw, the last line is "N passed, N failed".
#pragma once

#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace sgmv::test {

struct Test {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Test>& tests() {
  static std::vector<Test> list;
  return list;
}

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Skip : std::runtime_error {  // shown, and counted as neither passed nor failed
  using std::runtime_error::runtime_error;
};

struct Register {
  Register(const char* name, std::function<void()> body) { tests().push_back({name, std::move(body)}); }
};

// Sanitized builds run the same code twenty times slower: long tests take a smaller share of their cases there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

template <typename... Parts>
[[noreturn]] void fail_at(const char* file, int line, const Parts&... parts) {
  std::ostringstream text;
  text << file << ":" << line << ": ";
  (text << ... << parts);
  throw Failure(text.str());
}

}  // namespace sgmv::test

#define SGMV_CONCAT2(a, b) a##b
#define SGMV_CONCAT(a, b) SGMV_CONCAT2(a, b)

#define TEST(name)                                                                                     \
  static void SGMV_CONCAT(test_body_, __LINE__)();                                                     \
  static const ::sgmv::test::Register SGMV_CONCAT(test_entry_, __LINE__)(name, SGMV_CONCAT(test_body_, __LINE__)); \
  static void SGMV_CONCAT(test_body_, __LINE__)()

#define CHECK(condition, ...)                                                                          \
  do {                                                                                                 \
    if (!(condition)) ::sgmv::test::fail_at(__FILE__, __LINE__, #condition " " __VA_OPT__(, ) __VA_ARGS__); \
  } while (0)

#define CHECK_EQUAL(found, expected)                                                                   \
  do {                                                                                                 \
    const auto found_ = (found);                                                                       \
    const auto expected_ = (expected);                                                                 \
    if (!(found_ == expected_)) ::sgmv::test::fail_at(__FILE__, __LINE__, #found " is ", found_, ", expected ", expected_); \
  } while (0)

// The statement throws `Type`, whose message contains `part`.
#define CHECK_THROWS(statement, Type, part)                                                            \
  do {                                                                                                 \
    bool thrown_ = false;                                                                              \
    try {                                                                                              \
      statement;                                                                                       \
    } catch (const Type& error_) {                                                                     \
      thrown_ = true;                                                                                  \
      if (std::string(error_.what()).find(part) == std::string::npos)                                  \
        ::sgmv::test::fail_at(__FILE__, __LINE__, "message \"", error_.what(), "\" lacks \"", part, "\""); \
    }                                                                                                  \
    if (!thrown_) ::sgmv::test::fail_at(__FILE__, __LINE__, #statement " did not throw");              \
  } while (0)
