"""Speed and memory on this machine: the work counted, the floor measured, and how near to it the networks come."""
