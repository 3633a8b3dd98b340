"""Which pattern somebody needs: a few questions, and what each pattern declares that it suits."""
