"""Print the laboratory's page."""

from scaling_theory.laboratory.showcase.page import laboratory_page, laboratory_tables

if __name__ == "__main__":
    print(laboratory_page(laboratory_tables()), end="")
