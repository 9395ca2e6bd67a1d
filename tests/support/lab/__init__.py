"""What the tests that talk to the product from outside share: network
namespaces (netns) and the foreign programs (toolchain). Standard library only."""
