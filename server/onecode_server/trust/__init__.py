"""The trust list: its document, its entries, and the watched file that it comes from."""
