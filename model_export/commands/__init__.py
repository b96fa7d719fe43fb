"""The commands of edge-export: each reads arguments, calls the toolchain, shows what comes back."""
