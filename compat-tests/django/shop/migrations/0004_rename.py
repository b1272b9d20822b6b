from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_alter")]
    operations = [
        migrations.RenameModel("Brand", "Maker"),
        migrations.RenameField("Product", "brand", "maker"),
        migrations.AlterField("Product", "maker", models.ForeignKey("shop.Maker", models.CASCADE, related_name="products")),
        migrations.RenameIndex("Product", "by_lower_name", old_name="by_lower"),
        migrations.RemoveField("Product", "note"),
        migrations.AlterModelTable("Product", "shop_item"),
    ]
