#include "CNetPoll.h"
