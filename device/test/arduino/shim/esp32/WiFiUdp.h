#include "ShimNetwork.h"
