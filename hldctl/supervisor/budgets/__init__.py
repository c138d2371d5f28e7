"""What a supervisor does about budgets after it has recorded a cost."""
