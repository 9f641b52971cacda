// NetPoll
