// C++ exceptions as messages for Rust.
#pragma once
#include <c10/util/Exception.h>

#include <cstring>
#include <exception>

// Null for success, else the message, to be given back to shim_free.
template <typename F> char *guarded(F &&body) {
  try {
    body();
    return nullptr;
  } catch (const c10::Error &e) {
    return strdup(e.what_without_backtrace());
  } catch (const std::exception &e) {
    return strdup(e.what());
  } catch (...) {
    return strdup("unknown C++ exception");
  }
}
