"""The gRPC layer: servicers that convert messages to model values and back, and decide nothing."""
