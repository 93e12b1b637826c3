"""How many machines, cores, bytes and brokers a country needs: computed from inputs that were measured, or are said not
to be. ``python -m benchmarks.capacity`` writes the tables of docs/capacity.md."""
