"""resnetkit: define, inspect, train, evaluate and use residual networks."""
