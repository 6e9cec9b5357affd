#include "../../gloo.h"
