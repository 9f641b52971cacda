// NetPollTesting
